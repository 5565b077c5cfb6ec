/** The files for Prometheus and Grafana fit the plugin server and the pages. (`.ci/run` has promtool and Grafana's schema check them.) */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import GithubSlugger from "github-slugger";
import { parse } from "yaml";
import { REFUSALS } from "../../core/refusals";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";
import { validateManifest } from "../support/manifests";
import { queries, ruleFile } from "../support/monitoring";
import { startServer, temporaryFolder, until } from "../support/server";

const read = (path: string) => readFileSync(join(packageRoot(), path), "utf8");
const inFolder = (file: string) => parse(read(`deploy/monitoring/${file}`));

const rules = ruleFile().groups.flatMap((group) => group.rules);

test("each alert links to its own heading of docs/alerts.md, and each alert of that page exists", () => {
	const slugger = new GithubSlugger();
	const headings = [...read("docs/alerts.md").matchAll(/^## (.*)$/gm)].map(
		([, heading = ""]) => heading,
	);
	expect(rules.map(({ alert }) => alert)).toEqual(headings);
	for (const { alert, annotations } of rules)
		expect(annotations.runbook_url).toBe(
			`https://github.com/OWNER/REPOSITORY/blob/main/docs/alerts.md#${slugger.slug(alert)}`,
		);
});

test("alerts and dashboard name metrics that the plugin server serves", async () => {
	const socketPath = join(temporaryFolder(), "metrics.sock");
	const server = await startServer(dedicatedServer(), [
		"--metrics",
		socketPath,
		"--workers",
		"2",
	]);
	await until("metrics are served", () =>
		server.output.includes("metrics served"),
	);
	const { body } = await send("http://localhost/", { socketPath });
	await server.kill();
	const served = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(
		([, name, type]) =>
			type === "histogram"
				? ["bucket", "count", "sum"].map((part) => `${name}_${part}`)
				: [`${name}`],
	);
	const named = [...rules, ...queries()].flatMap(
		({ expr }) =>
			expr.match(/\b(?:x_custom_jwt|process|nodejs)_\w+\b(?=\{)/g) ?? [],
	);
	expect(new Set(named).size).toBeGreaterThan(10);
	expect(served).toEqual(expect.arrayContaining(named));
});

test("the alert on failures counts each reason of a 500 but an invalid configuration, which has its own alert", () => {
	const reasons = Object.values(REFUSALS)
		.filter(({ status }) => status === 500)
		.map(({ reason }) => reason);
	const [failures] = rules.filter(
		({ alert }) => alert === "XCustomJwtFailures",
	);
	const counted = failures?.expr.match(/(?<=reason=~")[^"]+/g) ?? [];
	expect(counted.length).toBeGreaterThan(0);
	for (const list of counted)
		expect(list.split("|")).toEqual([...new Set(reasons)].sort());
});

test("values, policy and monitor mean the same pods and the same port", () => {
	const { podLabels, env } = inFolder("values.yaml");
	const command = "pluginserver_x_custom_jwt_start_cmd";
	const base = parse(read("deploy/kubernetes/values.yaml")).env[command];
	const [, port] =
		/^ --metrics 0\.0\.0\.0:(\d+)$/.exec(env[command].slice(base.length)) ?? [];
	expect(env[command]).toBe(`${base} --metrics 0.0.0.0:${port}`);

	// README.md appends to the sidecar's command by number.
	const [sidecar] = parse(read("deploy/kubernetes/kic/values.yaml")).gateway
		.deployment.initContainers;
	const { length } = sidecar.command;
	for (const [index, value] of ["--metrics", `0.0.0.0:${port}`].entries())
		expect(read("deploy/monitoring/README.md")).toContain(
			`initContainers[0].command[${length + index}]=${value}'`,
		);

	const policy = inFolder("network-policy.yaml");
	validateManifest(policy);
	expect(policy.spec.podSelector.matchLabels).toEqual(podLabels);
	const [others, prometheus] = policy.spec.ingress;
	const open = (number: number) =>
		others.ports.some(
			(range: { protocol: string; port: number; endPort: number }) =>
				range.protocol === "TCP" &&
				range.port <= number &&
				number <= range.endPort,
		);
	expect([Number(port) - 1, Number(port), Number(port) + 1].map(open)).toEqual([
		true,
		false,
		true,
	]);
	expect(prometheus.ports).toEqual([{ protocol: "TCP", port: Number(port) }]);

	const { spec } = inFolder("pod-monitor.yaml");
	expect(spec.selector.matchLabels).toEqual(podLabels);
	const [{ relabelings }] = spec.podMetricsEndpoints;
	expect(relabelings[0].replacement).toBe(`$1:${port}`);
});
