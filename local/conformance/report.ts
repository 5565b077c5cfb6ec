import { printableLine } from "../../jwk/printable";

/** What became of one flow of the suite. */
export interface Case {
	name: string;
	expected: string;
	got: string;
	verdict: "passed" | "failed" | "skipped";
	/** How long it took. */
	milliseconds: number;
}

/** What became of the suite on one gateway. */
export interface Report {
	/** Base URL of the gateway, or what it is called. */
	gateway: string;
	/** What answered, by its own word, e.g. `kong/3.9.3`. */
	version: string;
	cases: Case[];
}

/** Whether no flow failed. */
export function hasPassed({ cases }: Report): boolean {
	return cases.every(({ verdict }) => verdict !== "failed");
}

/** A table for people. */
export function table({ gateway, version, cases }: Report): string {
	const rows = cases.map(({ verdict, name, expected, got, milliseconds }) =>
		[verdict, name, expected, got, `${Math.round(milliseconds)} ms`].map(
			printableLine,
		),
	);
	const head = ["", "flow", "expected", "got", "time"];
	const widths = head.map((_, column) =>
		Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
	);
	const lines = [head, ...rows].map((row) =>
		row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join("  ")
			.trimEnd(),
	);
	const count = (verdict: Case["verdict"]) =>
		cases.filter((one) => one.verdict === verdict).length;
	return `${printableLine(`${gateway}, ${version}`)}:
${lines.join("\n")}
${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped
`;
}

/** The reports in JUnit's XML, as CI systems read it; one test suite a gateway. */
export function junit(reports: Report[]): string {
	const suites = reports.map(({ gateway, version, cases }) => {
		const count = (verdict: Case["verdict"]) =>
			cases.filter((one) => one.verdict === verdict).length;
		const tests = cases.map(
			({ name, verdict, expected, got, milliseconds }) => {
				const detail = attribute(`expected ${expected}, got ${got}`);
				const inner = {
					passed: "",
					failed: `<failure message="${detail}"/>`,
					skipped: `<skipped message="${attribute(got)}"/>`,
				}[verdict];
				return `<testcase classname="conformance" name="${attribute(name)}" time="${(milliseconds / 1000).toFixed(3)}">${inner}</testcase>`;
			},
		);
		return `<testsuite name="${attribute(`${gateway}, ${version}`)}" tests="${cases.length}" failures="${count("failed")}" skipped="${count("skipped")}">\n${tests.join("\n")}\n</testsuite>`;
	});
	return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("\n")}\n</testsuites>\n`;
}

/** A text in an attribute of XML 1.0, which cannot have most control characters at all (§2.2). */
export function attribute(text: string): string {
	return text
		.replace(/[^\P{Cc}\t\n\r]/gu, "\uFFFD")
		.replace(/[<>&"\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
