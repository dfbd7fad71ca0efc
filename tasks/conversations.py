"""Conversations: messages back and forth with one person."""

from typing import Annotated, Any, Literal, Required

from typing_extensions import TypedDict

from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import never
from worker.api.wire import At, Linkage

ConversationId = Annotated[str, At("data.relationships.conversation.data"), Linkage("conversation")]


class SmsForm(TypedDict, total=False):
    """The message as SMS, if RCS cannot be sent."""

    message: Required[str]
    message_format: Literal["SMS"]
    extra: dict[str, Any] | None
    image: dict[str, Any] | None
    selected_image: dict[str, Any] | None
    media: dict[str, Any] | None


class RcsForm(TypedDict, total=False):
    """The message as RCS."""

    message: str
    message_format: Literal["RCS"]
    rich_content: dict[str, Any] | None
    extra: dict[str, Any] | None
    image: dict[str, Any] | None


@action(
    "POST /api/conversation-messages",
    type="conversation-message",
    limits="3/s 60/m",
    scopes="conversations:write",
    repeat=never("the conversation: the message may have been sent"),
)
def create_conversation_message(
    *, body: str, conversation_id: ConversationId, message_hierarchy: list[SmsForm | RcsForm] | None = None
) -> Envelope:
    """Send somebody a message in a conversation.

    Klaviyo has to enable this for an account. With a hierarchy, the message goes out as RCS,
    or as SMS where that fails.
    """
    ...
