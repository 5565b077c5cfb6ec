import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import GithubSlugger from "github-slugger";
import { packageRoot } from "../../schema/package-root";

/** A page of the documentation. */
export interface Page {
	/** From the package's root. */
	path: string;
	text: string;
	/** Its text without blocks of code. */
	prose: string;
}

const FOLDERS = ["docs", "bench", "deploy", "examples"];

/** All pages: Markdown at the top, and in the folders that have some. */
export function pages(): Page[] {
	const root = packageRoot();
	const paths = [
		...readdirSync(root),
		...FOLDERS.flatMap((folder) =>
			readdirSync(join(root, folder), { recursive: true }).map((path) =>
				join(folder, String(path)),
			),
		),
	];
	return paths
		.filter((path) => path.endsWith(".md"))
		.map((path) => {
			const text = readFileSync(join(root, path), "utf8");
			const prose = text.replace(/^ *```[\s\S]*?^ *```$/gm, "");
			return { path, text, prose };
		});
}

/** What can be named after `#`, as GitHub makes it of headings. */
export function anchors({ prose }: Page): string[] {
	const slugger = new GithubSlugger();
	return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
		slugger.slug(heading.replaceAll("`", "")),
	);
}
