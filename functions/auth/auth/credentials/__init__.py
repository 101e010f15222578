"""What people prove themselves with: passwords, hashes of the systems of origin, and the second factor.

Import the module that is needed: most need libraries of their own.

    passwords           what a new password must be like, and whether one is right
    argon2id            the only hash of a password that is stored
    breached            the list of passwords that attackers try first
    legacy              hashes of the systems of origin (legacy_formats reads them, legacy_algorithms compute)
    mfa                 one-time codes
    logins              a password and a code together, with limits for those who guess
"""
