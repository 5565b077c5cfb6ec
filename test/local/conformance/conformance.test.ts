import { readFileSync } from "node:fs";
import { join } from "node:path";
import { conformance } from "../../../local/conformance/conformance";
import type { Report } from "../../../local/conformance/report";
import { startDemo } from "../../../local/demo/demo";
import {
	dedicatedServer,
	stockServer,
} from "../../../local/gateway/plugin-server";
import { packageRoot } from "../../../schema/package-root";
import { run } from "../../support/cli";
import { temporaryFolder } from "../../support/server";

const RESTART = "Forged X-Custom-Jwt while the plugin server restarts";

/** What the suite says of a gateway with the examples' flows, its plugin server killed on the way. */
async function reportOn(pluginServerCommand: string[]) {
	const demo = await startDemo({ pluginServerCommand, log: () => {} });
	const json = join(temporaryFolder(), "conformance.json");
	const junit = json.replace(/json$/, "xml");
	const print = jest.spyOn(console, "log").mockImplementation(() => {});
	try {
		const passed = await conformance({
			proxy: `${demo.gateway.httpUrl}/`,
			proxyTls: demo.gateway.httpsUrl,
			config: [join(packageRoot(), "kong.yml")],
			restart: `kill -9 ${demo.pluginServer.pid}`,
			json,
			junit,
		});
		const [report]: Report[] = JSON.parse(readFileSync(json, "utf8"));
		if (!report) throw new Error("no report");
		expect(readFileSync(junit, "utf8")).toContain("<testsuite ");
		return { passed, report, printed: print.mock.calls.join("\n") };
	} finally {
		print.mockRestore();
		await demo.close();
	}
}

test("a gateway with the dedicated plugin server does all as it should, also while that is killed", async () => {
	const { passed, report, printed } = await reportOn(dedicatedServer());
	expect(report.cases.filter(({ verdict }) => verdict === "failed")).toEqual(
		[],
	);
	expect(passed).toBe(true);
	expect(report.version).toBe("kong/local");
	// The local gateway speaks no HTTP/2.
	const skipped = report.cases.filter(({ verdict }) => verdict === "skipped");
	expect(skipped.map(({ name }) => name)).toEqual([
		"Forged X-Custom-Jwt over HTTP/2",
	]);
	// Routes of kong-enterprise.yml are not in the given file.
	expect(report.cases.map(({ name }) => name)).not.toContain("OIDC (stand-in)");
	expect(printed).toContain(RESTART);
});

test("one whose requests go on without the plugin while that is killed, does not", async () => {
	const { passed, report } = await reportOn(stockServer());
	const failed = report.cases.filter(({ verdict }) => verdict === "failed");
	expect(failed.map(({ name }) => name)).toEqual([RESTART]);
	expect(failed[0]?.got).toMatch(/ [1-9]\d* wrong;/);
	expect(passed).toBe(false);
});

test("flows that need TLS are skipped without its URL, and a gateway that is not there is named", async () => {
	const demo = await startDemo({ log: () => {} });
	const { stdout, code } = await run([
		"conformance",
		"--proxy",
		demo.gateway.httpUrl,
	]);
	expect(stdout).toMatch(/skipped +Client certificate .* --proxy-tls/);
	expect(code).toBe(0);
	await demo.close();
	const gone = await run(["conformance", "--proxy", demo.gateway.httpUrl]);
	expect(gone).toMatchObject({
		code: 2,
		stderr: expect.stringContaining("ECONNREFUSED"),
	});
});

test.each([
	["--proxy", "localhost:8000"],
	["--proxy-tls", "ftp://localhost"],
	["--backend", "a"],
])("%s %s is refused", async (option, value) => {
	const { code, stderr } = await run(["conformance", option, value]);
	expect(code).toBe(2);
	expect(stderr).toContain(option);
});
