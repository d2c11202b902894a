/** The script within the file that `npm run bench -- --html` writes: draws the charts whose numbers stand in the file. */
import type { Chart } from "../../src/bench/chart.ts";
import { drawCharts } from "./charts.ts";

const host = document.getElementById("charts");
const numbers = document.getElementById("numbers")?.textContent;
if (host === null || numbers === undefined) throw new Error("Cannot find #charts and #numbers");
drawCharts(JSON.parse(numbers) as Chart[], host);
