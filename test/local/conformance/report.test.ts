import {
	type Case,
	hasPassed,
	junit,
	type Report,
	table,
} from "../../../local/conformance/report";

const passed: Case = {
	name: "API key",
	expected: "200",
	got: "200 verified",
	verdict: "passed",
	milliseconds: 12.4,
};
const failed: Case = {
	...passed,
	name: 'Forged <"a" & b>',
	got: "401\n\u001b[2J reached",
	verdict: "failed",
};
const skipped: Case = { ...passed, name: "HTTP/2", verdict: "skipped" };
const report = (...cases: Case[]): Report => ({
	gateway: "http://localhost:8000",
	version: "kong/3.9.3",
	cases,
});

test("a gateway has passed when no flow failed", () => {
	expect(hasPassed(report(passed, skipped))).toBe(true);
	expect(hasPassed(report(passed, failed))).toBe(false);
});

test("the table names gateway, version, and each flow with what was expected and what came", () => {
	const lines = table(report(passed, skipped)).split("\n");
	expect(lines[0]).toBe("http://localhost:8000, kong/3.9.3:");
	expect(lines[2]).toMatch(/^passed +API key +200 +200 verified +12 ms$/);
	expect(lines.at(-2)).toBe("1 passed, 0 failed, 1 skipped");
});

test("JUnit has a suite a gateway, its counts, and texts that any XML parser takes", () => {
	const xml = junit([report(passed, failed, skipped), report(passed)]);
	expect(xml.match(/<testsuite /g)).toHaveLength(2);
	expect(xml).toContain('tests="3" failures="1" skipped="1"');
	expect(xml).toContain('name="API key" time="0.012"></testcase>');
	expect(xml).toContain('name="Forged &#60;&#34;a&#34; &#38; b&#62;"');
	expect(xml).toContain(
		'<failure message="expected 200, got 401&#10;\uFFFD[2J reached"/>',
	);
	expect(xml).toContain("<skipped ");
});
