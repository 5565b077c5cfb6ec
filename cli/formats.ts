/** The findings of `config check`, as people, scripts and CI systems read them. */

import { printableLine } from "../jwk/printable";
import { attribute } from "../local/conformance/report";
import { version } from "../package.json";
import { Name } from "../plugins/x-custom-jwt";
import type { Finding } from "./check";
import type { Severity } from "./rules/rule";
import { RULES } from "./rules/table";

/** Each writes a whole report. */
export const FORMATS = { text, json, github, sarif, junit } as const;

/** The name of a format. */
export type Format = keyof typeof FORMATS;

/** The names of all formats. */
export const FORMAT_NAMES = Object.keys(FORMATS) as Format[];

function text(findings: Finding[]): string {
	const blocks = findings.map(
		({ file, line, column, severity, message, id, cure, source }) => {
			const number = `${line}`;
			const margin = " ".repeat(number.length);
			return [
				`${file}:${line}:${column} ${severity}: ${message} [${id}]`,
				`  ${number} | ${source.text}`,
				`  ${margin} | ${" ".repeat(source.column - 1)}^`,
				`  ${cure}`,
			];
		},
	);
	return [...blocks.flat(), summary(findings)]
		.map(printableLine)
		.map((one) => `${one}\n`)
		.join("");
}

function summary(findings: Finding[]): string {
	const count = (severity: Severity) => {
		const { length } = findings.filter((one) => one.severity === severity);
		return `${length} ${severity}${length === 1 ? "" : "s"}`;
	};
	return `${count("error")}, ${count("warning")}, ${count("note")}`;
}

function json(findings: Finding[]): string {
	const plain = findings.map(({ source, ...finding }) => ({
		...finding,
		source: source.text,
	}));
	return `${JSON.stringify(plain, null, 2)}\n`;
}

const GITHUB = { error: "error", warning: "warning", note: "notice" } as const;

/** Workflow commands, which GitHub shows beside the lines of a pull request. */
function github(findings: Finding[]): string {
	return findings
		.map(({ file, line, column, severity, message, id, cure }) => {
			const properties = Object.entries({
				file,
				line,
				col: column,
				title: `${Name} ${id}`,
			}).map(
				([name, value]) =>
					`${name}=${commandText(`${value}`).replaceAll(":", "%3A").replaceAll(",", "%2C")}`,
			);
			return `::${GITHUB[severity]} ${properties.join(",")}::${commandText(message)}%0A${commandText(cure)}\n`;
		})
		.join("");
}

function commandText(value: string): string {
	return printableLine(value).replaceAll("%", "%25");
}

/** SARIF 2.1.0, which code scanning reads. */
function sarif(findings: Finding[]): string {
	const ids = RULES.map(({ id }) => id);
	const report = {
		$schema: "https://json.schemastore.org/sarif-2.1.0.json",
		version: "2.1.0",
		runs: [
			{
				tool: {
					driver: {
						name: `${Name} config check`,
						version,
						rules: RULES.map(({ id, severity, text }) => ({
							id,
							shortDescription: { text },
							defaultConfiguration: { level: severity },
						})),
					},
				},
				columnKind: "utf16CodeUnits",
				results: findings.map(
					({ file, line, column, severity, message, id, cure, source }) => ({
						ruleId: id,
						ruleIndex: ids.indexOf(id),
						level: severity,
						message: { text: `${message}. ${cure}` },
						locations: [
							{
								physicalLocation: {
									artifactLocation: { uri: uriOf(file) },
									region: {
										startLine: line,
										startColumn: column,
										snippet: { text: source.text },
									},
								},
							},
						],
					}),
				),
			},
		],
	};
	return `${JSON.stringify(report, null, 2)}\n`;
}

/** A path as a URI reference (RFC 3986 §4.2). */
function uriOf(path: string): string {
	const parts = path.replaceAll("\\", "/").split("/");
	const uri = parts.map(encodeURIComponent).join("/");
	return path.startsWith("/") ? `file://${uri}` : uri;
}

/** JUnit's XML: each finding is a test case; errors have failed, the others have only an output. */
function junit(findings: Finding[]): string {
	const files = [...new Set(findings.map(({ file }) => file))];
	const suites = files.map((file) => {
		const own = findings.filter((finding) => finding.file === file);
		const failures = own.filter(({ severity }) => severity === "error");
		const cases = own.map(
			({ line, column, severity, message, id, cure, source }) => {
				const body = xml(
					`${file}:${line}:${column} ${severity}: ${message}\n${source.text}\n${cure}`,
				);
				const inner =
					severity === "error"
						? `<failure type="${xml(id)}" message="${xml(message)}">${body}</failure>`
						: `<system-out>${body}</system-out>`;
				return `<testcase classname="${xml(file)}" name="${xml(`${id} ${line}:${column}`)}">${inner}</testcase>\n`;
			},
		);
		return `<testsuite name="${xml(file)}" tests="${own.length}" failures="${failures.length}">\n${cases.join("")}</testsuite>\n`;
	});
	return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${Name} config check">\n${suites.join("")}</testsuites>\n`;
}

function xml(value: string): string {
	return attribute(value.split("\n").map(printableLine).join("\n"));
}
