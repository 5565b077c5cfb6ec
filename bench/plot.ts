import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { init } from "echarts";
import { isWriting } from "./report";

const FOLDER = join(__dirname, "plots");

/** Lines over one x axis. */
export interface Plot {
	title: string;
	x: { name: string; type: "value" | "log" };
	/** Up to two: the second one's scale is on the right. */
	y: string[];
	lines: { name: string; y?: 0 | 1; points: [x: number, y: number][] }[];
}

/**
 * Draws a plot as `plots/NAME.svg`, with `--write`.
 *
 * @returns Markdown that shows it
 */
export function plot(name: string, { title, x, y, lines }: Plot): string {
	const chart = init(null, null, {
		renderer: "svg",
		ssr: true,
		width: 640,
		height: 320,
	});
	chart.setOption({
		animation: false,
		backgroundColor: "#fff",
		title: { text: title, left: "center", textStyle: { fontSize: 14 } },
		legend: { bottom: 0, show: lines.length > 1 },
		grid: { left: 70, right: 70, top: 50, bottom: 70 },
		xAxis: { ...x, scale: true, nameLocation: "middle", nameGap: 25 },
		yAxis: y.map((name) => ({ name, min: 0 })),
		series: lines.map(({ name, y = 0, points }) => ({
			type: "line",
			name,
			yAxisIndex: y,
			data: points,
			showSymbol: points.length < 20,
			silent: true,
			emphasis: { disabled: true },
		})),
	});
	const svg = chart.renderToSVGString();
	chart.dispose();
	if (isWriting) {
		mkdirSync(FOLDER, { recursive: true });
		writeFileSync(join(FOLDER, `${name}.svg`), `${svg}\n`);
	}
	return `![${title}](plots/${name}.svg)`;
}
