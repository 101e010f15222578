"""The event hub: AWS services publish into a topic, and small reactions carry out what follows.

envelopes    what SNS, SQS and EventBridge wrap around a message
publishers   one parser for each publisher: messages become facts
facts        what happened, typed
reactions    one module each: `plan(fact, config)` is pure and gives actions, which carry themselves out
ledger       who did what: claims, limits, records of the status page
executor     carries actions out once, as the reaction's role, within the guard rails
react        the handler of the queues
"""
