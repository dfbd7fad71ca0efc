// Flower's page of tasks marks the filter that is on, but knows only its own.
(function () {
    "use strict";

    var filter = document.querySelector('.task-state-filter[data-task-state="WAITING"]');

    jQuery("#tasks-table").on("init.dt draw.dt", function () {
        var isOn = /(?:^|\s)state:WAITING(?:\s|$)/i.test(jQuery(this).DataTable().search());
        if (isOn) {
            jQuery(".task-state-filter").removeClass("active").attr("aria-pressed", "false");
        }
        filter.classList.toggle("active", isOn);
        filter.setAttribute("aria-pressed", String(isOn));
    });
}());
