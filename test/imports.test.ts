/** The one-way rule of CONTRIBUTING.md: which folder may import from which. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { preProcessFile } from "typescript";
import { packageRoot } from "../schema/package-root";

/** Folders a folder may import from, besides itself. Whoever may import a folder is above it. */
const MAY_IMPORT: Record<string, string[]> = {
	schema: [],
	build: ["schema"],
	jwk: [],
	plugins: ["jwk", "schema"],
	pluginserver: ["plugins", "jwk", "schema"],
	declarative: ["plugins", "jwk", "schema"],
	local: ["declarative", "pluginserver", "plugins", "jwk", "schema"],
	cli: ["local", "declarative", "pluginserver", "plugins", "jwk", "schema"],
	"test-keys": ["local", "jwk"],
	examples: ["local", "jwk", "schema"],
	bench: [
		"local",
		"declarative",
		"pluginserver",
		"plugins",
		"jwk",
		"schema",
		"test-keys",
	],
};

const ROOT = packageRoot();

/** Files of another folder that a file imports, types included, by their paths from the root. */
function importsOf(file: string): string[] {
	const { importedFiles } = preProcessFile(
		readFileSync(join(ROOT, file), "utf8"),
		true,
		true,
	);
	return importedFiles
		.filter(({ fileName }) => fileName.startsWith("."))
		.map(({ fileName }) => normalize(join(dirname(file), fileName)));
}

const files = execFileSync("git", ["ls-files", "*.ts"], { cwd: ROOT })
	.toString()
	.trim()
	.split("\n");

test.each(Object.entries(MAY_IMPORT))(
	"%s imports nothing of ours but %j",
	(folder, allowed) => {
		const own = files.filter((file) => file.startsWith(`${folder}/`));
		const forbidden = own.flatMap((file) =>
			importsOf(file)
				.filter((target) => {
					const [room = "", ...rest] = target.split("/");
					const isFileOfRoot = rest.length === 0 && !MAY_IMPORT[room];
					return !isFileOfRoot && room !== folder && !allowed.includes(room);
				})
				// Keys for trying and testing are data, which demo and tests read.
				.filter((target) => !/^test-keys\/.*\.(json|pem)$/.test(target))
				.map((target) => `${file} imports ${target}`),
		);
		expect(own).not.toEqual([]);
		expect(forbidden).toEqual([]);
	},
);

test("tests import nothing from bench/", () => {
	const own = files.filter((file) => file.startsWith("test/"));
	const imported = own.filter((file) =>
		importsOf(file).some((target) => target.startsWith("bench/")),
	);
	expect(imported).toEqual([]);
});

test("the plugin server loads the plugin from files that are one folder", () => {
	expect(
		new Set(
			files
				.filter((file) => file.startsWith("plugins/"))
				.map((file) => file.split("/")[1]),
		),
	).toEqual(new Set(["x-custom-jwt"]));
});
