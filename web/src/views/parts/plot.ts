/** The plotting library, by itself, so that it comes when the first graph does. */

import "uplot/dist/uPlot.min.css";

export { default } from "uplot";
