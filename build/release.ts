/**
 * `npm run release`: what a release hands out, in `dist/release/`. Two builds of the same sources on the same Node.js
 * give the same octets: nothing in them says a time, a folder or a machine.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { name, version } from "../package.json";
import { packageRoot } from "../schema/package-root";
import { BUNDLE_NAMES, bundle } from "./bundles";
import { buildExecutable, EXECUTABLE, EXECUTABLE_LICENSES } from "./executable";
import { billOfMaterials } from "./sbom";

const ROOT = packageRoot();
const FOLDER = join(ROOT, "dist/release");

/** Puts a bill beside the file it is of. */
function writeBill(
	file: string,
	...content: Parameters<typeof billOfMaterials>
) {
	writeFileSync(
		join(FOLDER, `${file}.cdx.json`),
		`${JSON.stringify(billOfMaterials(...content), null, "\t")}\n`,
	);
}

async function main() {
	rmSync(FOLDER, { recursive: true, force: true });
	mkdirSync(FOLDER, { recursive: true });

	const bundles = await Promise.all(BUNDLE_NAMES.map(bundle));
	// Everything is built: `prepare` would do it again.
	execFileSync(
		"npm",
		["pack", "--silent", "--ignore-scripts", "--pack-destination", FOLDER],
		{ cwd: ROOT, stdio: "pipe" },
	);
	writeBill(`${name}-${version}.tgz`, bundles);

	const server = [await buildExecutable()];
	const file = `x-custom-jwt-pluginserver-${version}.js`;
	copyFileSync(
		join(ROOT, "dist/x-custom-jwt-pluginserver.js"),
		join(FOLDER, file),
	);
	writeBill(file, server);

	const executable = `x-custom-jwt-pluginserver-${version}-${process.platform}-${process.arch}`;
	copyFileSync(EXECUTABLE, join(FOLDER, executable));
	copyFileSync(EXECUTABLE_LICENSES, join(FOLDER, `${executable}.LICENSES.txt`));
	writeBill(executable, server, process.versions.node);

	for (const part of ["handler", "schema"])
		copyFileSync(
			join(ROOT, `dist/lua/${part}.lua`),
			join(FOLDER, `x-custom-jwt-${version}-${part}.lua`),
		);
	writeBill(`x-custom-jwt-${version}-handler.lua`, [await bundle("lua")]);
	const rockspec = `${name}-${version}-1.rockspec`;
	copyFileSync(join(ROOT, rockspec), join(FOLDER, rockspec));
	console.log(`wrote ${relative(ROOT, FOLDER)}`);
}

main().catch((error) => {
	console.error(error);
	process.exitCode = 1;
});
