/** Software bills of materials, in CycloneDX 1.6 (ECMA-424): https://cyclonedx.org/docs/1.6/json/ */
import { name, license as ourLicense, version } from "../package.json";
import { npmPurl, type Package } from "./third-party";

/** A component of a bill. */
interface Component {
	type: "application" | "library" | "platform";
	"bom-ref": string;
	group?: string;
	name: string;
	version: string;
	purl: string;
	licenses: ({ expression: string } | { license: { name: string } })[];
	hashes?: { alg: "SHA-512"; content: string }[];
}

/** What a file was made of. */
export interface Bill {
	bomFormat: "CycloneDX";
	specVersion: "1.6";
	version: number;
	metadata: { lifecycles: [{ phase: "build" }]; component: Component };
	components: Component[];
	dependencies: { ref: string; dependsOn: string[] }[];
}

function libraryComponent(found: Package): Component {
	const [, group, bare = found.name] = /^(@.+)\/(.+)$/.exec(found.name) ?? [];
	const digest = Buffer.from(found.integrity.replace("sha512-", ""), "base64");
	return {
		type: "library",
		"bom-ref": found.purl,
		...(group && { group }),
		name: bare,
		version: found.version,
		purl: found.purl,
		licenses: [{ expression: found.license }],
		hashes: [{ alg: "SHA-512", content: digest.toString("hex") }],
	};
}

function nodeComponent(version: string): Component {
	const purl = `pkg:generic/node@${version}`;
	return {
		type: "platform",
		"bom-ref": purl,
		name: "node",
		version,
		purl,
		licenses: [{ license: { name: "Node.js" } }],
	};
}

/**
 * Makes the bill of a file we hand out. It says no time and no random number: the same sources give the same bill.
 *
 * @param packages what is bundled in it
 * @param nodeVersion when Node.js is in it too: its version, such as `24.21.0`
 */
export function billOfMaterials(
	packages: Package[],
	nodeVersion?: string,
): Bill {
	const ours = npmPurl(name, version);
	const node = nodeVersion === undefined ? [] : [nodeComponent(nodeVersion)];
	return {
		bomFormat: "CycloneDX",
		specVersion: "1.6",
		version: 1,
		metadata: {
			lifecycles: [{ phase: "build" }],
			component: {
				type: "application",
				"bom-ref": ours,
				name,
				version,
				purl: ours,
				licenses: [{ expression: ourLicense }],
			},
		},
		components: [...packages.map(libraryComponent), ...node],
		dependencies: [
			{
				ref: ours,
				dependsOn: [
					...packages.filter(({ isDirect }) => isDirect),
					...node,
				].map(({ purl }) => purl),
			},
			...packages.map(({ purl, imports }) => ({
				ref: purl,
				dependsOn: [...imports].sort(),
			})),
		],
	};
}
