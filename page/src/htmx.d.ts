declare module "htmx.org/dist/htmx.min.js";
declare module "uplot/dist/uPlot.min.css";
