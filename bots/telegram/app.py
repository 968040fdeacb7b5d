"""The Telegram bot put together: what it is made of, how it starts and how it ends."""

from __future__ import annotations

import functools
import logging
import secrets
import traceback
from typing import Any
from urllib.parse import urlsplit

from telegram import Bot, Update
from telegram.error import NetworkError, TelegramError
from telegram.ext import (
    AIORateLimiter,
    ApplicationBuilder,
    CallbackQueryHandler,
    CommandHandler,
    ExtBot,
    InlineQueryHandler,
    MessageHandler,
    filters,
)
from telegram.request import HTTPXRequest

from bots.core.answer import Mode
from bots.core.desk import PhotoDesk
from bots.core.errors import ServerFailure
from bots.core.languages import LANGUAGES, texts_for
from bots.core.notices import error_reply
from bots.core.speech import Speaker
from bots.core.store import SettingsStore
from bots.telegram.buttons import ButtonHandlers
from bots.telegram.commands import CommandHandlers, menu
from bots.telegram.comparisons import Comparisons
from bots.telegram.journal import JournaledApplication, JournaledQueue, UpdateJournal
from bots.telegram.photos import PhotoHandlers
from bots.telegram.sender import Sender
from bots.telegram.service import PLATFORM, Service
from bots.telegram.settings import TelegramSettings
from bots.telegram.signs import WorkSigns

__all__ = ["build", "run"]

log = logging.getLogger(__name__)

ALLOWED_UPDATES = [Update.MESSAGE, Update.CALLBACK_QUERY, Update.INLINE_QUERY]
_DATABASE = "bots.sqlite3"


class _Bot(ExtBot[Any]):
    """A bot that some Bot API servers give no username."""

    @property
    def username(self) -> str:
        """Empty where there is none."""
        return self.bot.username or ""


class _RateLimiter(AIORateLimiter):
    """Counts messages only: signs of work and answers to presses are free."""

    async def process_request(self, *args: Any, **kwargs: Any) -> Any:
        """As the base class does; the library names all arguments."""
        if kwargs["endpoint"] in {"sendChatAction", "answerCallbackQuery"}:
            return await kwargs["callback"](*kwargs["args"], **kwargs["kwargs"])
        return await super().process_request(*args, **kwargs)


def build(settings: TelegramSettings) -> JournaledApplication:
    """The application, ready to run; its parts are opened when it starts."""
    token = settings.telegram_token.get_secret_value()
    base = settings.telegram_base_url.rstrip("/")
    database = settings.data_dir / _DATABASE
    journal = UpdateJournal(database, token.partition(":")[0])
    queue = JournaledQueue(journal)
    # Timeouts are long enough for a slow line; pools are never the bottleneck.
    request = HTTPXRequest(
        connection_pool_size=settings.telegram_updates_at_once + 16,
        read_timeout=30.0,
        write_timeout=30.0,
        connect_timeout=10.0,
        pool_timeout=30.0,
        media_write_timeout=60.0,
    )
    # One connection alone could wedge polling for good.
    updates_request = HTTPXRequest(connection_pool_size=4, read_timeout=30.0, pool_timeout=10.0)
    bot = _Bot(
        token,
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        request=request,
        get_updates_request=updates_request,
        rate_limiter=_RateLimiter(
            overall_max_rate=settings.telegram_requests_per_s, overall_time_period=1, max_retries=5
        ),
    )
    application: Any = (
        ApplicationBuilder()
        .application_class(JournaledApplication, {"journal": journal})
        .bot(bot)
        .update_queue(queue)
        .concurrent_updates(settings.telegram_updates_at_once)
        .post_init(functools.partial(_start, settings, journal, queue))
        .post_stop(_stop)
        .job_queue(None)
        .build()
    )
    if not isinstance(application, JournaledApplication):  # pragma: no cover
        raise TypeError("the builder made another application")
    return application


async def _start(
    settings: TelegramSettings,
    journal: UpdateJournal,
    queue: JournaledQueue,
    application: JournaledApplication,
) -> None:
    """Opens the parts, now that the loop runs, and takes up what was left over."""
    bot: Bot = application.bot
    desk = PhotoDesk.open(settings)
    store = SettingsStore(settings.data_dir / _DATABASE, PLATFORM)
    service = Service(
        settings=settings,
        bot=bot,
        desk=desk,
        store=store,
        sender=Sender(bot, store),
        speaker=Speaker.from_settings(settings),
        journal=journal,
        signs=WorkSigns(bot),
        comparisons=Comparisons(store),
    )
    application.bot_data["service"] = service
    _add_handlers(application, service)
    await _publish_menu(bot)
    await queue.take_up(bot)
    log.info("the bot %s answers", bot.username or bot.id)


async def _stop(application: Any) -> None:
    service: Service = application.bot_data["service"]
    await service.desk.close()
    await service.store.close()
    await service.journal.close()


def _add_handlers(application: JournaledApplication, service: Service) -> None:
    photos = PhotoHandlers(service)
    commands = CommandHandlers(service)
    buttons = ButtonHandlers(service, photos, commands)

    async def on_lookalike(update: Update, _context: Any) -> None:
        await photos.on_command(update, Mode.LOOKALIKE)

    async def on_describe(update: Update, _context: Any) -> None:
        await photos.on_command(update, Mode.DESCRIBE)

    new = filters.UpdateType.MESSAGE
    for names, callback in (
        (["start", "help"], commands.on_help),
        (["privacy"], commands.on_privacy),
        (["language"], commands.on_language),
        (["settings"], commands.on_settings),
        (["compare"], commands.on_compare),
        (["celebrity"], commands.on_celebrity),
        (["forget_me"], commands.on_forget),
        (["lookalike", "who"], on_lookalike),
        (["describe"], on_describe),
    ):
        application.add_handler(CommandHandler(names, callback, filters=new))
    pictures = (
        filters.PHOTO
        | filters.Document.ALL
        | filters.Sticker.ALL
        | filters.ANIMATION
        | filters.VIDEO
        | filters.VIDEO_NOTE
    )
    application.add_handler(MessageHandler(new & pictures, photos.on_photo))
    application.add_handler(MessageHandler(new & filters.TEXT & ~filters.COMMAND, photos.on_text))
    application.add_handler(CallbackQueryHandler(buttons.on_press))
    application.add_handler(InlineQueryHandler(buttons.on_inline))
    application.add_error_handler(_on_error)


async def _on_error(update: object, context: Any) -> None:
    """Logs where it broke, never what was said, and owns up to the asker."""
    error: BaseException = context.error
    # The error's own words could quote a message: only where it broke is told.
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s\n%s", type(error).__name__, where)
    service: Service = context.bot_data["service"]
    if isinstance(error, TelegramError) or not isinstance(update, Update) or not update.message:
        return  # what Telegram refuses once, it would refuse again
    texts = await service.texts(update)
    await service.sender.answer(update.message, error_reply(ServerFailure("broken"), texts))


async def _publish_menu(bot: Bot) -> None:
    try:
        await bot.set_my_commands(menu(texts_for(None)))
        for code in LANGUAGES:
            await bot.set_my_commands(menu(texts_for(code)), language_code=code)
    except (TelegramError, NetworkError) as error:
        log.warning("the menu of commands was not published: %s", type(error).__name__)


def run(settings: TelegramSettings) -> None:
    """Runs until SIGINT or SIGTERM; running answers are finished first."""
    application = build(settings)
    if not settings.telegram_webhook_url:
        application.run_polling(allowed_updates=ALLOWED_UPDATES, bootstrap_retries=-1)
        return
    secret = settings.telegram_webhook_secret
    application.run_webhook(
        listen=settings.telegram_webhook_host,
        port=settings.telegram_webhook_port,
        url_path=urlsplit(settings.telegram_webhook_url).path.strip("/"),
        webhook_url=settings.telegram_webhook_url,
        secret_token=secret.get_secret_value() if secret else secrets.token_urlsafe(32),
        allowed_updates=ALLOWED_UPDATES,
        bootstrap_retries=-1,
    )
