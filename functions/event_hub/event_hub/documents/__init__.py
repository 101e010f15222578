"""Encodes documents that people upload to PDF: what comes in is anybody's, and may be hostile.

formats       what a document is, by its content, and what is refused before anything reads it
libreoffice   one document, one process, one profile; limits on time, memory and what it writes
no_network    the filter of system calls that it runs under
plain_text    text alone, where LibreOffice is not installed
encoding      a document as PDF, by whatever is installed
pdf           what came out: pages, and whether there is anything on them
storage       the bucket of originals, and the one of PDFs
worker        the handler of the queue
"""
