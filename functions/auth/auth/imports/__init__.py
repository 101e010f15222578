"""Imports of accounts from the systems of origin.

Import the module that is needed: the API makes jobs, and needs nothing that reads lines.

    jobs        a job as the API sees it: where to upload to, and how far it is
    lines       what one line of an upload says
    decisions   what becomes of it
    importing   has it become that, or only notes it in a dry run
    files       files of several companies, a part at a time, and what is reported of them
"""
