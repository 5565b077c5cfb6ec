/** The plots, drawn from the tables of the README: `npm run bench -- plots`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { init } from "echarts";
import { README } from "./report";

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

/** Lines over one x axis, of medians in the table of one script. */
interface Plot {
	title: string;
	table: string;
	x: string;
	y: { name: string; type: "value" | "log" };
	/** From the rows of the table, by their cells. */
	lines: (
		rows: string[][],
	) => { name: string; points: [x: string, y: number][] }[];
}

/** Of `1,234 (1,200–1,300)` the first figure. */
const median = (cell = "") => Number.parseFloat(cell.replaceAll(",", ""));

/** Lines of columns, over what grows: its name is in the first cell, as in `connections: 8`. */
const grown =
	(what: string, columns: Record<string, number>): Plot["lines"] =>
	(rows) =>
		Object.entries(columns).map(([name, column]) => ({
			name,
			points: rows
				.filter(([first]) => first?.startsWith(`${what}: `))
				.map((row) => [
					row[0]?.slice(what.length + 2) ?? "",
					median(row[column]),
				]),
		}));

const PLOTS: Record<string, Plot> = {
	connections: {
		title: "Latency against connections",
		table: "growth",
		x: "connections",
		y: { name: "latency, µs", type: "log" },
		lines: grown("connections", { p50: 4, p99: 5 }),
	},
	"token-size": {
		title: "CPU of a request against the size of its token",
		table: "growth",
		x: "token, bytes",
		y: { name: "CPU, µs/request", type: "value" },
		lines: grown("token, bytes", { CPU: 1 }),
	},
	workers: {
		title: "Tokens per second against workers, on two cores",
		table: "workers",
		x: "workers",
		y: { name: "tokens/s", type: "value" },
		lines: (rows) =>
			rows.map(([name = "", one, two]) => ({
				name,
				points: [
					["1", median(one)],
					["2", median(two)],
				],
			})),
	},
};

/** Draws all plots, for light and dark pages, as `plots/NAME.svg`. */
export function drawPlots(): void {
	const folder = join(__dirname, "plots");
	mkdirSync(folder, { recursive: true });
	for (const [name, plot] of Object.entries(PLOTS))
		writeFileSync(
			join(folder, `${name}.svg`),
			`${forBothSchemes(svgOf(plot))}\n`,
		);
}

/** The rows of the first table between a script's marks, without its head. */
function rowsOf(script: string): string[][] {
	const [, block = ""] = readFileSync(README, "utf8").split(
		`<!-- ${script} -->`,
	);
	const [table = ""] = block.trimStart().split("\n\n");
	const lines = table.split("\n").slice(2);
	return lines.map((line) =>
		line
			.split("|")
			.slice(1, -1)
			.map((cell) => cell.trim()),
	);
}

function svgOf({ title, table, x, y, lines }: Plot): string {
	const series = lines(rowsOf(table));
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
		legend: { bottom: 0, show: series.length > 1, textStyle: { color: ink } },
		grid: { left: 70, right: 70, top: 50, bottom: 70 },
		xAxis: {
			...axis,
			name: x,
			type: "category",
			nameLocation: "middle",
			nameGap: 25,
		},
		yAxis: { ...axis, ...y },
		series: series.map(({ name, points }) => ({
			...{ type: "line", name, data: points },
			...{ silent: true, emphasis: { disabled: true } },
		})),
	});
	const svg = chart.renderToSVGString();
	chart.dispose();
	return svg;
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

if (require.main === module) drawPlots();
