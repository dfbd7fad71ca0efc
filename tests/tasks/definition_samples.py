"""A flow, a form and a template as data: what no generated value would be."""

from __future__ import annotations

from typing import Any

GOLD = {"type": "string", "operator": "equals", "value": "gold"}
IS_GOLD = {"type": "profile-property", "property": "plan", "filter": GOLD}
FOR_GOLD = {"condition_groups": [{"conditions": [IS_GOLD]}]}
OF_GOLD = {
    "condition_groups": [
        {"conditions": [{"type": "metric-property", "metric_id": "M1", "field": "plan", "filter": GOLD}]}
    ]
}
EMAIL: dict[str, Any] = {
    "temporary_id": "email",
    "type": "send-email",
    "links": {"next": None},
    "data": {
        "message": {
            "from_email": "ada@example.com",
            "from_label": "Ada",
            "subject_line": "Hello",
            "preview_text": "",
            "template_id": "T1",
            "smart_sending_enabled": True,
            "custom_tracking_params": [{"param": "utm_source", "value": "flow"}],
            "additional_filters": FOR_GOLD,
            "name": "First",
        },
        "status": "draft",
    },
}
SMS: dict[str, Any] = {
    "temporary_id": "sms",
    "type": "send-sms",
    "links": {"next": "email"},
    "data": {"message": {"body": "Hello", "message_hierarchy": ["Hello"], "name": "Text"}, "status": "manual"},
}
PUSH: dict[str, Any] = {
    "temporary_id": "push",
    "type": "send-mobile-push",
    "links": {"next": "webhook"},
    "data": {
        "message": {
            "title": "Hello",
            "body": "There",
            "badge": True,
            "badge_options": {"badge_config": "set_count", "value": "1"},
            "on_open": "open_url",
            "web_url": "https://example.com",
            "kv_pairs": {"screen": "sale"},
            "action_buttons": [{"label": "Open", "action_type": "open_app"}],
        },
        "status": "live",
    },
}

FLOW: dict[str, Any] = {
    "triggers": [
        {"type": "list", "id": "L1"},
        {"type": "metric", "id": "M1", "trigger_filter": OF_GOLD},
        {
            "type": "date",
            "date_field_type": "profile-property",
            "date_profile_property": "birthday",
            "timedelta_unit_before_date": "days",
            "timedelta_value_before_date": 3,
            "recurrence_frequency": "annually",
            "timezone": "Europe/London",
            "trigger_time": "09:00:00",
            "trigger_days": ["monday"],
        },
        {
            "type": "low-inventory",
            "product_level": "variant",
            "trigger_filter": None,
            "inventory_count": 5,
            "audience": ["viewed"],
        },
        {
            "type": "price-drop",
            "trigger_filter": None,
            "price_drop_amount_value": 10,
            "price_drop_amount_unit": "percent",
            "audience": ["viewed"],
        },
    ],
    "profile_filter": FOR_GOLD,
    "entry_action_id": "split",
    "reentry_criteria": {"duration": 30, "unit": "day"},
    "actions": [
        {
            "temporary_id": "split",
            "type": "conditional-split",
            "links": {"next_if_true": "wait", "next_if_false": "trigger"},
            "data": {"profile_filter": FOR_GOLD},
        },
        {
            "temporary_id": "trigger",
            "type": "trigger-split",
            "links": {"next_if_true": "wait", "next_if_false": None},
            "data": {"trigger_filter": OF_GOLD, "trigger_id": "M1", "trigger_type": "metric"},
        },
        {
            "temporary_id": "wait",
            "type": "time-delay",
            "links": {"next": "day"},
            "data": {"unit": "days", "value": 1, "delay_until_time": "10:00:00", "delay_until_weekdays": ["friday"]},
        },
        {
            "temporary_id": "day",
            "type": "target-date",
            "links": {"next": "countdown"},
            "data": {"target_time": "10:00:00", "target_days": ["friday"]},
        },
        {
            "temporary_id": "countdown",
            "type": "countdown-delay",
            "links": {"next": "stock"},
            "data": {"unit": "days", "value": 1},
        },
        {"temporary_id": "stock", "type": "back-in-stock-delay", "links": {"next": "push"}},
        PUSH,
        {
            "temporary_id": "webhook",
            "type": "send-webhook",
            "links": {"next": "alert"},
            "data": {
                "message": {"url": "https://example.com", "headers": {"X-A": "1"}, "body": "{}"},
                "status": "draft",
            },
        },
        {
            "temporary_id": "alert",
            "type": "send-internal-alert",
            "links": {"next": "profile"},
            "data": {
                "message": {
                    "from_email": "ada@example.com",
                    "from_label": "Ada",
                    "to_emails": ["bob@example.com"],
                    "subject_line": "Look",
                },
            },
        },
        {
            "temporary_id": "profile",
            "type": "update-profile",
            "links": {"next": "list"},
            "data": {
                "profile_operations": [
                    {"operator": "update", "property_type": "numeric", "property_key": "visits", "property_value": 3},
                    {"operator": "delete", "property_key": "plan"},
                ],
                "status": "draft",
            },
        },
        {
            "temporary_id": "list",
            "type": "list-update",
            "links": {"next": "branches"},
            "data": {"name": "Join", "on_execution": True, "list_id": "L1"},
        },
        {
            "temporary_id": "branches",
            "type": "multi-branch-split",
            "data": {
                "name": "Which",
                "branches": [
                    {"branch_id": "a", "branch_filter": FOR_GOLD, "links": {"next": "test"}},
                    {"branch_id": "b", "is_else": True, "links": {"next": None}},
                ],
            },
        },
        {
            "temporary_id": "test",
            "type": "ab-test",
            "links": {"next": "sms"},
            "data": {
                "status": "draft",
                "experiment_status": "draft",
                "main_action": EMAIL,
                "current_experiment": {
                    "name": "Subject",
                    "variations": [EMAIL, SMS],
                    "allocations": {"a": 0.5},
                    "started": None,
                    "winner_metric": "unique-opens",
                },
            },
        },
        SMS,
        EMAIL,
    ],
}

FORM_VERSION: dict[str, Any] = {
    "name": "A",
    "type": "popup",
    "channel": "WEB",
    "status": "draft",
    "location": "center_left",
    "steps": [
        {
            "name": "Email",
            "columns": [
                {
                    "rows": [
                        {"blocks": [{"type": "email", "properties": {"label": "Email", "required": True}}]},
                        {
                            "blocks": [
                                {
                                    "type": "button",
                                    "properties": {"label": "Go"},
                                    "action": {"type": "close", "submit": True, "properties": {"list_id": "L1"}},
                                }
                            ]
                        },
                    ]
                }
            ],
        }
    ],
    "triggers": [{"type": "delay", "properties": {"seconds": 5}}],
    "teasers": [{"content": "10 %", "teaser_type": "circle", "device_type": "both"}],
    "styles": {"width": "medium"},
    "properties": {"show_close_button": True},
}

SHOWN = {"show_on": "all"}
TEMPLATE: dict[str, Any] = {
    "body": {
        "properties": {"css_class": "root"},
        "styles": {"background_color": "#ffffff", "width": 600},
        "sections": [
            {
                "content_type": "section",
                "type": "section",
                "data": {"properties": {}, "display_options": SHOWN, "styles": {"border_width": 0}},
                "rows": [
                    {
                        "data": {"styles": {"column_layout": "1-column-full-width"}},
                        "columns": [
                            {
                                "blocks": [
                                    {
                                        "content_type": "block",
                                        "type": "text",
                                        "data": {"content": "<p>Hello</p>", "display_options": SHOWN, "styles": {}},
                                    }
                                ]
                            }
                        ],
                    }
                ],
            }
        ],
    },
    "styles": [{"style_type": "link-styles", "styles": {"color": "#000000"}}],
}
