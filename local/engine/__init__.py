"""The local engine: the ministack emulator with the AWS behaviour that the suite relies on restored.

Runs in its own virtual environment (``.venv/engine``), started by ``local.process``. One module per AWS
service; each registers patches with :mod:`local.engine.patching`, which checks at start-up that the
emulator's code is the code that the patch was written for. For development and tests, never for production.
"""
