/** Software bills of materials, in CycloneDX 1.6 (ECMA-424): https://cyclonedx.org/docs/1.6/json/ */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { packageRoot } from "../schema/package-root";

/** What a file was made of, as far as it is read here. */
export interface Bill {
	metadata: { component: { "bom-ref": string } };
	components: { type: string; "bom-ref": string; name: string }[];
	dependencies: { ref: string; dependsOn?: string[] }[];
}

/**
 * Makes the bill of a file we hand out. It has no time and no random number: the same sources give the same bill.
 *
 * @param metafiles esbuild's accounts of what is in the file
 * @param nodeVersion the version of Node.js when that is in the file too, such as `24.21.0`
 */
export function billOfMaterials(
	metafiles: Metafile[],
	nodeVersion?: string,
): Bill {
	const folder = mkdtempSync(join(tmpdir(), "x-custom-jwt-"));
	try {
		const file = join(folder, "meta.json");
		const merged = {
			inputs: Object.assign({}, ...metafiles.map(({ inputs }) => inputs)),
			outputs: Object.assign({}, ...metafiles.map(({ outputs }) => outputs)),
		};
		writeFileSync(file, JSON.stringify(merged));
		const json = execFileSync(
			join(packageRoot(), "node_modules/.bin/cyclonedx-esbuild"),
			["--output-reproducible", "--spec-version=1.6", "--validate", file],
			{
				cwd: packageRoot(),
				encoding: "utf8",
				stdio: ["ignore", "pipe", "ignore"],
				maxBuffer: 2 ** 26,
			},
		);
		const bill: Bill = JSON.parse(json);
		return nodeVersion === undefined ? bill : withNode(bill, nodeVersion);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** The bill of an executable, which has Node.js inside. */
function withNode(bill: Bill, version: string): Bill {
	const ref = `pkg:generic/node@${version}`;
	const node = {
		type: "platform",
		"bom-ref": ref,
		name: "node",
		version,
		purl: ref,
		licenses: [{ license: { name: "Node.js" } }],
	};
	const ours = bill.metadata.component["bom-ref"];
	const dependencies = bill.dependencies.map((one) =>
		one.ref === ours
			? { ...one, dependsOn: [...(one.dependsOn ?? []), ref] }
			: one,
	);
	return { ...bill, components: [...bill.components, node], dependencies };
}
