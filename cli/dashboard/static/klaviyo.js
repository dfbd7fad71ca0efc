// Refreshes the table. Search, order and pages are links and a form, which need no script.
(function () {
    "use strict";

    var table = document.getElementById("klaviyo-table");
    if (!table) {
        return;
    }
    var silence = document.getElementById("klaviyo-silence");
    var interval = Number(table.dataset.interval) * 1000;

    // Whoever copies a text would lose what is selected.
    function isSelected() {
        var selection = window.getSelection();
        return !selection.isCollapsed && table.contains(selection.anchorNode);
    }

    async function refresh() {
        if (!document.hidden && !isSelected()) {
            var address = new URL(window.location.href);
            address.searchParams.set("part", "table");
            try {
                var answer = await fetch(address, {credentials: "same-origin"});
                // Redirected: whoever has been logged out is sent to the login.
                if (!answer.ok || answer.redirected) {
                    throw new Error(String(answer.status));
                }
                table.innerHTML = await answer.text();
                table.querySelectorAll("[data-count]").forEach(function (each) {
                    document.querySelector('[data-troubles="' + each.dataset.count + '"]').textContent = each.textContent;
                });
                silence.classList.add("d-none");
            } catch (error) {
                silence.classList.remove("d-none");
            }
        }
        window.setTimeout(refresh, interval);
    }

    window.setTimeout(refresh, interval);
}());
