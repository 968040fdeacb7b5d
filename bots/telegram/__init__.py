"""The Telegram bot."""

import os

# python-telegram-bot reads this whenever it meets a duration, and warns without it.
os.environ.setdefault("PTB_TIMEDELTA", "true")
