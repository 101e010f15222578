"""Single sign-on by OpenID Connect, an endpoint in each module.

authorization   the authorization endpoint and the forms of its pages
grants          the token endpoint
userinfo        what an application may know of a person
signing_out     the end-session endpoint
browsers        the cookie, the session behind it, and what protects forms
pages           HTML
"""
