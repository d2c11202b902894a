/** Draws the charts of results by uPlot: a bar for each median, over it a line from the smallest to the largest run. */
import uPlot from "uplot";
import type { Bar, Chart } from "../../src/bench/chart.ts";

/** Sizes, CSS pixels. */
const LABELS_WIDTH = 330;
const VALUES_WIDTH = 120;
const AXIS_HEIGHT = 32;
const UNIT_HEIGHT = 20;
/** From one number of the axis to the next, at least. */
const NUMBERS_APART = 70;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 14;
const LINE_HEIGHT = 2;
/** A narrower page scrolls sideways. */
const WIDTH_MIN = 640;

/** Seen on white and on black. */
const BAR_COLOR = "#2a94ab";
const GRID_COLOR = "#80808040";

/** Space beyond the largest value, a part of it. */
const BEYOND = 0.05;

/** The colour of text around the chart, so light or dark as the page is. */
function textColor({ root }: uPlot): string {
  return getComputedStyle(root).color;
}

/** An axis beside the rows, with one text for each. */
function rowAxis(side: uPlot.Axis.Side, size: number, texts: readonly string[]): uPlot.Axis {
  return {
    side,
    size,
    stroke: textColor,
    grid: { show: false },
    ticks: { show: false },
    splits: () => texts.map((_, row) => row),
    values: () => [...texts],
  };
}

function barsFrom(height: number, bars: readonly Bar[]): uPlot.Series.PathBuilder {
  const y0 = { unit: 1, values: () => bars.map(({ min }) => min) };
  const y1 = { unit: 1, values: () => bars.map(({ max }) => max) };
  return uPlot.paths.bars!({ size: [1, height, height], disp: { y0, y1 } });
}

/** Rows lie below each other, so x goes down and y to the right. */
function optionsOf({ title, unit, bars }: Chart, width: number): uPlot.Options {
  return {
    title,
    width,
    height: AXIS_HEIGHT + UNIT_HEIGHT + (ROW_HEIGHT * bars.length),
    padding: [0, 0, 0, 0],
    cursor: { show: false },
    legend: { live: false, markers: { fill: (_, i) => i === 1 ? BAR_COLOR : "currentColor" } },
    scales: {
      x: { time: false, ori: 1, dir: -1, range: [-0.5, bars.length - 0.5] },
      y: { ori: 0, range: (_, _min, max) => [0, max > 0 ? max * (1 + BEYOND) : 1] },
    },
    axes: [
      rowAxis(3, LABELS_WIDTH, bars.map(({ label }) => label)),
      {
        side: 2,
        size: AXIS_HEIGHT,
        space: NUMBERS_APART,
        label: unit,
        labelSize: UNIT_HEIGHT,
        stroke: textColor,
        grid: { stroke: GRID_COLOR },
      },
      { ...rowAxis(1, VALUES_WIDTH, bars.map(({ value }) => value)), scale: "x" },
    ],
    series: [
      {},
      {
        label: "median",
        width: 0,
        fill: BAR_COLOR,
        points: { show: false },
        paths: uPlot.paths.bars!({ size: [1, BAR_HEIGHT, 1] }),
      },
      {
        label: "smallest to largest run",
        width: 0,
        fill: textColor,
        points: { show: false },
        paths: barsFrom(LINE_HEIGHT, bars),
      },
    ],
  };
}

function dataOf({ bars }: Chart): uPlot.AlignedData {
  return [bars.map((_, row) => row), bars.map(({ median }) => median), bars.map(({ max }) => max)];
}

let drawn: uPlot[] = [];

/** Draws charts in place of those that were drawn before. */
export function drawCharts(charts: readonly Chart[], host: HTMLElement): void {
  for (const chart of drawn) chart.destroy();
  const width = Math.max(WIDTH_MIN, host.clientWidth);
  drawn = charts.map((chart) => new uPlot(optionsOf(chart, width), dataOf(chart), host));
}

// A canvas keeps the colours that it was drawn with.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of drawn) chart.redraw();
});
