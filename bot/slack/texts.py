"""The sentences that the bot says instead of an answer, in Slack markdown.

Names that come from Slack or from files are escaped by the caller that inserts them.
"""

from __future__ import annotations

NO_CONTEXT = (
    "This channel has no codebase yet, so I have nothing to answer from. An operator or a workspace"
    " admin can attach one here: `/codebase attach https://github.com/your/repository`."
)

NO_CONTEXT_FOR_YOU = (
    "There is no codebase that you can ask about yet: join a channel that has one, or ask in it."
)
BARE_MENTION = "Ask me anything about {names}: mention me with your question, or use `/ask`."
HELP = (
    "Mention me with a question about the code, or send it to me here, for example _where are"
    " refunds retried?_ I answer in the thread, with links into the code; you can go on asking"
    " there without a mention. `/ask` opens a form, `/codebase` shows what a channel answers from."
    " Name a file, a function or an error message if you know one: then I find it sooner."
)
HOW_TO_ASK = (
    "• In a channel, mention me with a question. Here, write it under *Messages*. Go on in the"
    " thread without a mention.\n"
    "• Name a file, a function or an error message if you know one: _where is"
    " `InsufficientFunds` raised?_\n"
    "• Ask for one thing at a time: _how does a refund reach the ledger?_ _which tests cover"
    " `retry()`?_ _what changed in `payments/` since Monday?_\n"
    "• `/ask` opens a form, `/codebase` shows what a channel answers from, `help` says this"
    " again.\n"
    "• Links in answers lead to the lines that I checked. Tell me with the buttons if an answer was"
    " bad: the operators read it."
)
HELP_WORDS = frozenset({"help", "help!", "help?", "/help", "hilfe", "aide", "ayuda"})
WHICH_CONTEXT = "Which codebase is this about?"
USER_RATE = "You have asked {limit} questions within the hour; please go on in a little while."
CHANNEL_RATE = (
    "This channel has asked {limit} questions within the hour; please go on in a little while."
)
MONEY_OUT = (
    "Today's budget for answers about {name} is used up. It starts anew at midnight UTC, and an"
    " operator can raise it."
)
EXPIRED = (
    "I was away when you asked this and it is {minutes} minutes old now, so I have not answered"
    " out of the blue: please ask again if it still matters."
)
ASKED_BY = "<@{user}> asked about {name}:"
GREETING = (
    "I answer questions about {names} here: mention me with your question, or use `/ask`."
    " Answers stream into the thread with links into the code."
)
