import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { init } from "echarts";
import { isWriting } from "./report";

const FOLDER = join(__dirname, "plots");

/** Colours on a light page, and in their place on a dark one. */
const DARK = {
	"#fff": "#0d1117",
	"#1f2328": "#f0f6fc",
	"#d0d7de": "#3d444d",
	"#0969da": "#58a6ff",
	"#bc4c00": "#f0883e",
	"#1a7f37": "#3fb950",
};
const [page, ink, grid, ...lineColours] = Object.keys(DARK);

/** Lines over one x axis. */
export interface Plot {
	title: string;
	/** `category`: the points' x are names of what was measured, at equal distances. */
	x: { name: string; type: "value" | "category" };
	/** Of a `value` from 0. */
	y: { name: string; type: "value" | "log" };
	/** Three at most. */
	lines: { name: string; points: [x: number, y: number][] }[];
}

/**
 * Draws a plot, for light and dark pages, as `plots/NAME.svg` with `--write`.
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
	const axis = {
		axisLine: { lineStyle: { color: ink } },
		axisLabel: { color: ink },
		nameTextStyle: { color: ink },
		splitLine: { lineStyle: { color: grid } },
	};
	chart.setOption({
		animation: false,
		backgroundColor: page,
		color: lineColours,
		title: {
			text: title,
			left: "center",
			textStyle: { fontSize: 14, color: ink },
		},
		legend: {
			bottom: 0,
			show: lines.length > 1,
			textStyle: { color: ink },
		},
		grid: { left: 70, right: 70, top: 50, bottom: 70 },
		xAxis: {
			...axis,
			...x,
			scale: true,
			nameLocation: "middle",
			nameGap: 25,
		},
		yAxis: { ...axis, ...y },
		series: lines.map(({ name, points }) => ({
			type: "line",
			name,
			// A number would be the place of a category, not its name.
			data: points.map(([at, value]) => [
				x.type === "category" ? at.toLocaleString("en") : at,
				value,
			]),
			showSymbol: points.length < 20,
			silent: true,
			emphasis: { disabled: true },
		})),
	});
	const svg = chart.renderToSVGString();
	chart.dispose();
	if (isWriting) {
		mkdirSync(FOLDER, { recursive: true });
		writeFileSync(join(FOLDER, `${name}.svg`), `${forBothSchemes(svg)}\n`);
	}
	return `![${title}](plots/${name}.svg)`;
}

/** A style wins over an attribute, by which echarts gives all colours. */
function forBothSchemes(svg: string): string {
	const rules = Object.entries(DARK).flatMap(([light, dark]) => [
		`[fill="${light}"]{fill:${dark}}`,
		`[stroke="${light}"]{stroke:${dark}}`,
	]);
	const style = `<style>@media (prefers-color-scheme: dark){${rules.join("")}}</style>`;
	return svg.replace(">", `>\n${style}`);
}
