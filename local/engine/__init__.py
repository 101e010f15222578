"""The local engine: the ministack emulator with the AWS behaviour that the suite relies on restored.

Runs in its own virtual environment (``.venv/engine``), started by ``local.engine_process``. What restores
AWS's behaviour is in :mod:`local.engine.services`; it registers patches with :mod:`local.engine.patching`,
which checks at start-up that the emulator's code is the code that the patch was written for. What AWS has not
(faults, the record of IAM's decisions, an engine's identity) is beside it. For development and tests, never
for production.
"""
