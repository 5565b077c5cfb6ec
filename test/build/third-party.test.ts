/** What of others is in the files we hand out: their licences go with them, and the bill of materials says so. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import type { Metafile } from "esbuild";
import { billOfMaterials } from "../../build/sbom";
import { licenseTexts, packagesIn } from "../../build/third-party";
import { packageRoot } from "../../schema/package-root";
import { temporaryFolder } from "../support/server";

const ROOT = packageRoot();
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const readJson = (path: string) => JSON.parse(read(path));

/** esbuild's account of the dedicated plugin server. (In Jest's sandbox esbuild itself does not run.) */
function pluginServerMetafile(): Metafile {
	const metafile = join(temporaryFolder(), "meta.json");
	execFileSync(
		join(ROOT, "node_modules/.bin/esbuild"),
		[
			"pluginserver/main.ts",
			"--bundle",
			"--platform=node",
			`--metafile=${metafile}`,
			`--outfile=${metafile}.js`,
			"--log-level=error",
		],
		{ cwd: ROOT },
	);
	return JSON.parse(readFileSync(metafile, "utf8"));
}

const metafile = pluginServerMetafile();
const packages = packagesIn([metafile]);

test.each([
	{ file: "dist/x-custom-jwt-pluginserver.js", holds: "prom-client" },
	{ file: "dist/plugins/x-custom-jwt.js", holds: "jose" },
	{ file: "dist/cli/x-custom-jwt.js", holds: "@peculiar/x509" },
	{ file: "dist/backend.js", holds: "hono" },
	{ file: "dist/inspector/page.js", holds: "jose" },
])("$file has the licences of what is in it", ({ file, holds }) => {
	const [, licenses = ""] = read(file).split(
		"// Packages of others in this file, and their licences:",
	);
	expect(licenses).toContain(
		`${holds} ${readJson(`node_modules/${holds}/package.json`).version} (`,
	);
	const [line = ""] = read(
		`node_modules/${holds}/LICENSE${holds === "jose" ? ".md" : ""}`,
	)
		.split("\n")
		.filter((line) => /copyright/i.test(line));
	expect(licenses).toContain(line.trim());
});

test("the single file fits into a ConfigMap, which Kubernetes limits to 1 MiB", () => {
	expect(
		Buffer.byteLength(read("dist/x-custom-jwt-pluginserver.js")),
	).toBeLessThan(1024 * 1024 * 0.9);
});

test("packages that share a licence text share its print", () => {
	const texts = licenseTexts([
		...packages,
		...packages.map((found) => ({ ...found, name: "another" })),
	]);
	expect(texts.match(/Copyright \(c\) 2018 Filip Skokan/g)).toHaveLength(1);
});

test("what was imported and dropped again is not in it", () => {
	const input = { bytes: 9, imports: [] };
	const metafile: Metafile = {
		inputs: {
			"cli/main.ts": {
				bytes: 9,
				imports: [
					{ path: "node_modules/jose/a.js", kind: "import-statement" },
					{ path: "node_modules/yaml/b.js", kind: "import-statement" },
				],
			},
			"node_modules/jose/a.js": input,
			"node_modules/yaml/b.js": input,
		},
		outputs: {
			"x.js": {
				bytes: 9,
				imports: [],
				exports: [],
				inputs: {
					"cli/main.ts": { bytesInOutput: 9 },
					"node_modules/jose/a.js": { bytesInOutput: 9 },
					"node_modules/yaml/b.js": { bytesInOutput: 0 },
				},
			},
		},
	};
	expect(packagesIn([metafile])).toMatchObject([{ name: "jose" }]);
});

describe("the bill of materials", () => {
	const bill = billOfMaterials([metafile], "24.21.0");

	test("fits CycloneDX's schema", () => {
		const schemas = "node_modules/@cyclonedx/cyclonedx-library/res/schema";
		const ajv = new Ajv({
			strict: false,
			validateFormats: false,
			logger: false,
		});
		for (const name of ["spdx", "jsf-0.82"]) {
			const file = `${name}.SNAPSHOT.schema.json`;
			const { $id, ...schema } = readJson(`${schemas}/${file}`);
			ajv.addSchema(schema, new URL(file, $id).href);
		}
		const validate = ajv.compile(
			readJson(`${schemas}/bom-1.6.SNAPSHOT.schema.json`),
		);
		validate(bill);
		expect(validate.errors).toBeNull();
		validate({ ...bill, components: [{ name: "no type" }] });
		expect(validate.errors).not.toBeNull();
	});

	test("names each package once, with version and licence", () => {
		const refs = bill.components.map((component) => component["bom-ref"]);
		expect(new Set(refs).size).toBe(refs.length);
		expect(bill.components).toContainEqual(
			expect.objectContaining({
				type: "library",
				group: "@opentelemetry",
				name: "api",
				version: expect.any(String),
				purl: expect.stringMatching(/^pkg:npm\/%40opentelemetry\/api@\d/),
				licenses: [{ license: expect.objectContaining({ id: "Apache-2.0" }) }],
			}),
		);
		const libraries = bill.components.filter(({ type }) => type === "library");
		expect(libraries.map(({ name }) => name).sort()).toEqual(
			packages.map(({ name }) => name.replace(/^@.*\//, "")).sort(),
		);
	});

	test("says who needs what, and nothing that is not in it", () => {
		const dependsOn = (start: string) =>
			bill.dependencies.find(({ ref }) => ref.startsWith(start))?.dependsOn;
		expect(
			bill.dependencies.find(
				({ ref }) => ref === bill.metadata.component["bom-ref"],
			)?.dependsOn,
		).toEqual(
			expect.arrayContaining([
				expect.stringMatching(/^jose@/),
				"pkg:generic/node@24.21.0",
			]),
		);
		expect(dependsOn("prom-client@")).toContainEqual(
			expect.stringMatching(/^tdigest@/),
		);
		const refs = bill.components.map((component) => component["bom-ref"]);
		for (const { dependsOn = [] } of bill.dependencies)
			for (const ref of dependsOn) expect(refs).toContain(ref);
	});

	test("is the same each time, with no time and no random number", () => {
		expect(billOfMaterials([metafile], "24.21.0")).toEqual(bill);
		expect(JSON.stringify(bill)).not.toMatch(/timestamp|serialNumber/);
	});
});
