/** What the workflows may do, and that nobody else's changes get into a release unseen. (`.ci/run` lints them.) */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../../schema/package-root";

interface Job {
	permissions?: Record<string, string>;
	environment?: string;
	"timeout-minutes"?: number;
	steps: { uses?: string; run?: string; with?: Record<string, unknown> }[];
}

const FOLDER = join(packageRoot(), ".github/workflows");

const workflows = readdirSync(FOLDER).map((file) => {
	const text = readFileSync(join(FOLDER, file), "utf8");
	const { on, permissions, jobs } = parse(text);
	return {
		file,
		text,
		on: on as Record<string, unknown>,
		permissions: permissions as Record<string, string>,
		jobs: Object.values(jobs) as Job[],
	};
});

describe.each(workflows)("$file", ({ text, on, permissions, jobs }) => {
	test("takes each action at a commit, with its version beside it", () => {
		const uses = text.match(/uses: .*/g) ?? [];
		expect(uses.length).toBeGreaterThan(0);
		for (const line of uses)
			expect(line).toMatch(
				/^uses: [\w.-]+\/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/,
			);
	});

	test("may write only where a job says so, and never for a pull request", () => {
		expect(Object.values(permissions)).not.toContain("write");
		if ("pull_request" in on)
			for (const job of jobs)
				expect(Object.values(job.permissions ?? {})).not.toContain("write");
		expect(on).not.toHaveProperty("pull_request_target");
		for (const { steps } of jobs)
			for (const step of steps)
				if (step.uses?.startsWith("actions/checkout@"))
					expect(step.with).toMatchObject({ "persist-credentials": false });
	});

	test("ends by itself", () => {
		for (const job of jobs)
			expect(job["timeout-minutes"]).toEqual(expect.any(Number));
	});

	test("puts no text of others into a script", () => {
		for (const { steps } of jobs)
			for (const { run = "" } of steps) expect(run).not.toContain("${{");
	});
});

test("a release comes from a tag, waits for its owners, and proves where it comes from", () => {
	const release = workflows.find(({ file }) => file === "release.yml");
	expect(Object.keys(release?.on ?? {})).toEqual(["push"]);
	expect(release?.on).not.toHaveProperty("push.branches");
	const writers = release?.jobs.filter(({ permissions = {} }) =>
		Object.values(permissions).includes("write"),
	);
	expect(writers).toHaveLength(2);
	for (const { environment } of writers ?? [])
		expect(environment).toBe("release");
	// No package's install script, and no test, runs where the files of a release are built.
	const commands = (release?.jobs ?? []).map(({ steps }) =>
		steps.flatMap(({ run }) => run ?? []),
	);
	const building = commands.find((list) => list.includes("npm run release"));
	expect(
		building?.filter((run) => /npm (ci|cit|install)|\.ci\/run/.test(run)),
	).toEqual(["npm ci --ignore-scripts"]);
	for (const line of [
		"run: bash .ci/run",
		"npm ci --ignore-scripts",
		"npm publish release/*.tgz --provenance",
		"actions/attest-build-provenance@",
		"SHA256SUMS",
		"cosign sign",
		"provenance: mode=max",
	])
		expect(release?.text).toContain(line);
});
