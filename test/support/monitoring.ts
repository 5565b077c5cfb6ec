/**
 * Writes what promtool reads, into a folder: the rules of the PrometheusRule (`rules.yml`), and a rule for each query of the
 * dashboard (`dashboard.yml`), with values for Grafana's variables.
 *
 *   node -r ts-node/register test/support/monitoring.ts FOLDER
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { packageRoot } from "../../schema/package-root";

/** A rule of Prometheus. */
export interface Rule {
	alert: string;
	expr: string;
	labels: { severity: string };
	annotations: Record<string, string>;
}

/** A panel of Grafana, as far as it is read here; a row has panels. */
interface Panel {
	title: string;
	targets?: { expr: string }[];
	panels?: Panel[];
}

const FOLDER = join(packageRoot(), "deploy/monitoring");

/** The spec of the PrometheusRule, which is a file of rules. */
export function ruleFile(): { groups: { name: string; rules: Rule[] }[] } {
	return parse(readFileSync(join(FOLDER, "prometheus-rule.yaml"), "utf8")).spec;
}

/** The queries of the dashboard with the titles of their panels, for all namespaces and pods. */
export function queries(): { panel: string; expr: string }[] {
	const { panels } = JSON.parse(
		readFileSync(join(FOLDER, "dashboard.json"), "utf8"),
	) as { panels: Panel[] };
	return panels
		.flatMap((panel) => [panel, ...(panel.panels ?? [])])
		.flatMap(({ title, targets = [] }) =>
			targets.map(({ expr }) => ({
				panel: title,
				expr: expr
					.replaceAll("$__rate_interval", "5m")
					.replace(/\$(namespace|pod)\b/g, ".*"),
			})),
		);
}

if (require.main === module) {
	const [folder = "."] = process.argv.slice(2);
	mkdirSync(folder, { recursive: true });
	const rules = queries().map(({ expr }, index) => ({
		record: `panel:${index}`,
		expr,
	}));
	writeFileSync(join(folder, "rules.yml"), stringify(ruleFile()));
	writeFileSync(
		join(folder, "dashboard.yml"),
		stringify({ groups: [{ name: "dashboard", rules }] }),
	);
}
