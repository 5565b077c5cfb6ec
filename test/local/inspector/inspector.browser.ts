/** The inspector page in a real browser: `npm run test:browser`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import axe, { type AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Document, parseDocument } from "yaml";
import { type Backend, startBackend } from "../../../local/backend/backend";
import { type Demo, startDemo } from "../../../local/demo/demo";
import { makeFlows, signToken } from "../../../local/demo/flows";
import { parseDeclarative } from "../../../local/gateway/entities";
import { send } from "../../../local/http";
import { packageRoot } from "../../../schema/package-root";
import { findChromium } from "../../support/chromium";

const ROOT = packageRoot();

/** As the backend of the demo wants them. */
const GOOD = {
	client_id: "my-user",
	iss: "https://kong-gateway:8443/x-custom-jwt",
	aud: "http://httpbin:9000/anything",
	jti: "a8e6bcd5-9b1f-45ab-a4c7-6a23dd3d8f3c",
};

let browser: Browser;
let demo: Demo;
/** What browsers complained about, but for what a test breaks on purpose. */
const complaints: string[] = [];
const running: { close(): Promise<void> }[] = [];

async function start(edit: (kongYml: Document) => void = () => {}) {
	const document = parseDocument(readFileSync(join(ROOT, "kong.yml"), "utf8"));
	edit(document);
	const started = await startDemo({
		configuration: parseDeclarative(document.toString(), "kong.yml, edited"),
		log: () => {},
	});
	running.push(started);
	return started;
}

beforeAll(async () => {
	browser = await chromium.launch({
		executablePath: findChromium(),
		// Grey letters make pictures half as big as coloured ones.
		args: ["--disable-lcd-text"],
	});
	demo = await startDemo({ log: () => {} });
	running.push(demo);
});
afterEach(async () => {
	await Promise.all(browser.contexts().map((context) => context.close()));
	expect(complaints.splice(0)).toEqual([]);
});
afterAll(async () => {
	await browser?.close();
	await Promise.all(running.map((part) => part.close()));
});

async function open(
	{ backend }: { backend: Backend },
	options: Parameters<Browser["newPage"]>[0] = {},
): Promise<Page> {
	const page = await browser.newPage(options);
	page.setDefaultTimeout(120_000);
	page.on("pageerror", (error) => complaints.push(error.message));
	page.on("console", (message) => {
		// Fetching a JWK Set that is not to be had is reported by the browser too.
		const text = `${message.text()} ${message.location().url}`;
		if (message.type() === "error" && !text.includes("/x-custom-jwt/jwks"))
			complaints.push(text);
	});
	await page.goto(`http://localhost:${backend.port}/`);
	await page.getByText("Live: new requests").waitFor();
	return page;
}

const press = (page: Page, name: string) =>
	page.getByRole("button", { name, exact: true }).click();

/** Sends a flow and waits until the page shows what became of it. */
async function clickFlow(page: Page, name: string): Promise<void> {
	await press(page, name);
	await page.locator("#outcome strong").getByText(`${name}: `).waitFor();
}

const paste = (page: Page, text: string) =>
	page.getByLabel("Any JWT").fill(text);

/** Waits for the verdict with this headline; resolves to its words. */
async function verdict(page: Page, headline: string): Promise<string> {
	const found = page.locator("#verdict").filter({ hasText: headline });
	await found.waitFor();
	return found.innerText();
}

/** Cells of the row of the table with this name that begins with this cell. */
async function cells(page: Page, table: string, first: string) {
	const row = page
		.getByRole("table", { name: table, exact: true })
		.getByRole("row")
		.filter({
			has: page.getByRole("rowheader", { name: first, exact: true }),
		});
	return (await row.getByRole("cell").allInnerTexts()).map((text) =>
		text.split("\n"),
	);
}

/** Waits until screen readers are told this. */
const said = (page: Page, words: string) =>
	page.getByRole("status").filter({ hasText: words }).waitFor();

/** Milliseconds of each part of the last flow, and of all. */
async function times(page: Page): Promise<number[]> {
	const parts = page.getByRole("table", { name: "Time of each part" });
	const texts = await parts.getByRole("cell").allInnerTexts();
	return texts.map((text) => Number(text.replace(/ ms$/, "")));
}

const listed = (page: Page) => page.locator("#requests tr");

describe("the flows", () => {
	test("each that reaches the backend shows a token that the page verified, each other one who refused it", async () => {
		const page = await open(demo);
		const flows = await makeFlows(demo.gateway);
		let reached = 0;
		for (const { name, status, clientId } of flows) {
			await clickFlow(page, name);
			if (!clientId) {
				await page
					.getByText(`${name}: ${status} from the gateway itself`)
					.waitFor();
				await page.getByText("The gateway answered itself").waitFor();
				expect(await listed(page).count()).toBe(reached);
				continue;
			}
			await page
				.getByText(`${name}: 200, and the backend verified the token`)
				.waitFor();
			await listed(page).nth(reached).waitFor();
			reached += 1;
			expect(await verdict(page, "✓ Verified")).toContain('key "kong"');
			const claim = (await cells(page, "Claims", "client_id")).flat();
			expect(claim).toContain(JSON.stringify(clientId));
		}
		expect(reached).toBeGreaterThan(5);
	});

	test("are grouped by what should become of them, and say how long each part took", async () => {
		const page = await open(demo);
		const buttons = (group: string) =>
			page.getByRole("group", { name: group }).getByRole("button");
		expect(await buttons("Accepted").allInnerTexts()).toContain("Basic");
		expect(await buttons("Refused").allInnerTexts()).toContain("Wrong API key");
		expect(
			(await buttons("Accepted").count()) + (await buttons("Refused").count()),
		).toBe((await makeFlows(demo.gateway)).length);
		await clickFlow(page, "Basic");
		await said(page, "✓ Basic: 200");
		const [all = 0, ...parts] = (await times(page)).reverse();
		expect(parts).toHaveLength(3);
		expect(parts.reduce((sum, part) => sum + part)).toBeCloseTo(all, 5);
		await clickFlow(page, "Wrong API key");
		await said(page, "✗ Wrong API key: 401");
		expect(await times(page)).toHaveLength(2);
	});

	test("of two that are sent at once, the last one's outcome stays", async () => {
		const page = await open(demo);
		let first: () => Promise<void> = async () => {};
		await page.route("**/inspector/flows/Basic", (route) => {
			first = () => route.continue();
		});
		await press(page, "Basic");
		await said(page, "Basic: sent");
		await clickFlow(page, "Wrong API key");
		await said(page, "✗ Wrong API key: 401");
		const late = page.waitForResponse("**/inspector/flows/Basic");
		await first();
		await (await late).finished();
		await listed(page).filter({ hasText: "/basicAuth" }).first().waitFor();
		await said(page, "✗ Wrong API key: 401");
	});

	test("a request is listed with its route, consumer and status, whoever sends it", async () => {
		const { gateway, backend } = await start();
		const page = await open({ backend });
		await send(`${gateway.httpUrl}/apiKey/orders`, {
			headers: { apikey: "012345AZERTY!" },
		});
		await listed(page).first().waitFor();
		const row = await listed(page).first().getByRole("cell").allInnerTexts();
		expect(row.slice(1)).toEqual([
			"/apiKey/orders",
			"contact@konghq.com-ID1",
			"200",
		]);
	});

	test("a request that the backend refuses is listed with its reason", async () => {
		const { backend } = await start();
		const page = await open({ backend });
		await send(`http://localhost:${backend.port}/anything`);
		await listed(page).filter({ hasText: "401" }).waitFor();
		await page.getByText("The request had no header X-Custom-Jwt").waitFor();
		expect(await page.locator("#token").isVisible()).toBe(false);
	});

	test("an earlier request can be chosen, and a page opened later shows what was before", async () => {
		const { backend } = await start();
		const page = await open({ backend });
		await clickFlow(page, "Basic");
		await listed(page).nth(0).waitFor();
		await clickFlow(page, "API key");
		await listed(page).nth(1).waitFor();
		await verdict(page, "Verified");
		await page.getByRole("button", { name: "/basicAuth" }).click();
		await verdict(page, "Verified");
		expect(await cells(page, "Claims", "client_id")).toEqual([
			['"my-user"'],
			["credential"],
		]);
		const later = await open({ backend });
		await listed(later).nth(1).waitFor();
	});

	test("a backend that has no flows, as in its container, says how to send them", async () => {
		const backend = await startBackend({
			host: "localhost",
			port: 0,
			jwksUrl: "http://localhost:1",
			issuer: "gateway",
			audience: "backend",
			algorithms: ["RS256"],
			inspector: {
				folder: join(ROOT, "dist/inspector"),
				jwksUrl: "http://localhost:1",
			},
		});
		running.push(backend);
		const page = await open({ backend });
		await page.getByText("use the curl commands").waitFor();
	});

	test("claims say where they came from, and times are in words", async () => {
		const page = await open(demo);
		await clickFlow(page, "JWT");
		await page.getByText("JWT: 200, and").waitFor();
		await verdict(page, "Verified");
		expect((await cells(page, "Claims", "scope")).at(-1)).toEqual([
			"incoming token",
		]);
		expect((await cells(page, "Claims", "act")).at(-1)).toEqual(["consumer"]);
		const [, exp, , origin] = await cells(page, "Claims", "exp");
		expect(exp?.[1]).toMatch(/^expires in (30|29) min/);
		expect(origin).toEqual(["configuration"]);
		const [, jku] = await cells(page, "Header", "jku");
		expect(jku?.join(" ")).toMatch(/kong-gateway:8443.* never fetched/);
	});
});

describe("a request that comes with a token of its own", () => {
	test.each(["JWT", "JWT in the query"])(
		"%s: both tokens' claims are side by side, with what changed",
		async (flow) => {
			const page = await open(demo);
			await clickFlow(page, flow);
			await page.getByText(`${flow}: 200, and`).waitFor();
			await verdict(page, "Verified");
			await page
				.getByText(/^The request came with a token .* 3 kept/)
				.waitFor();
			expect(await cells(page, "Claims", "scope")).toEqual([
				['"orders:read"'],
				['"orders:read"'],
				["= kept"],
				["incoming token"],
			]);
			expect(await cells(page, "Claims", "iss")).toEqual([
				['"http://httpbin:9000/idp"'],
				['"https://kong-gateway:8443/x-custom-jwt"'],
				["≠ changed"],
				["configuration"],
			]);
			expect(await cells(page, "Claims", "client_id")).toEqual([
				["none"],
				['"web-shop"'],
				["+ added"],
				["incoming token"],
			]);
		},
	);

	test("a forged one beside an API key: nothing of it is kept", async () => {
		const page = await open(demo);
		await clickFlow(page, "API key and a forged Bearer token");
		await page.getByText(/ 0 kept, 0 changed, .* 1 removed/).waitFor();
		expect(await cells(page, "Claims", "clientId")).toEqual([
			['"admin"'],
			["none"],
			["− removed"],
			["incoming token"],
		]);
	});

	test.each([
		["JWT, tampered", "✗ 401, “Invalid signature”", "clientId", ['"admin"']],
		[
			"Introspection, expired",
			"✗ 401, “exp: token expired”",
			"exp",
			["1", expect.stringMatching(/^expired \d+ y/)],
		],
		[
			"Introspection, a partner's token",
			"✗ 403, “You cannot consume this service”",
			"roles",
			['["admin"]'],
		],
		["Introspection", "✓ 200, “Ok”", "client_id", ['"my-user"']],
	])(
		"%s: where the gateway answers itself it is shown with what the gateway says",
		async (flow, words, claim, value) => {
			const page = await open(demo);
			await clickFlow(page, "JWT");
			await verdict(page, "Verified");
			await clickFlow(page, flow);
			await page.locator("#source").getByText(words).waitFor();
			expect(await cells(page, "Claims", claim)).toEqual([value]);
			expect(await cells(page, "Header", "alg")).toHaveLength(1);
			expect(await page.locator("#verdict").innerText()).toBe("");
			await page.getByRole("button", { name: "Copy incoming" }).waitFor();
			const ofGateway = page.getByRole("button", { name: "Copy token" });
			expect(await ofGateway.count()).toBe(0);
			await clickFlow(page, "Basic");
			await verdict(page, "Verified");
		},
	);

	test("a refused one that came without a token says so", async () => {
		const page = await open(demo);
		await clickFlow(page, "Wrong API key");
		await page.getByText("The request came with no token.").waitFor();
		expect(await page.locator("#token").isVisible()).toBe(false);
	});

	test("header parameters are side by side too", async () => {
		const page = await open(demo);
		await clickFlow(page, "JWT");
		await verdict(page, "Verified");
		expect(await cells(page, "Header", "kid")).toEqual([
			['"idp"'],
			['"kong"'],
			["≠ changed"],
		]);
	});

	test("each token can be copied as it was sent", async () => {
		const page = await open(demo);
		await page
			.context()
			.grantPermissions(["clipboard-read", "clipboard-write"]);
		await clickFlow(page, "JWT");
		await verdict(page, "Verified");
		const { token, incoming } = demo.backend.received.at(-1) ?? {};
		for (const [name, expected] of [
			["Copy incoming token", incoming],
			["Copy token", token],
		] as const) {
			await page.getByRole("button", { name, exact: true }).click();
			await said(page, "Copied.");
			expect(await page.evaluate("navigator.clipboard.readText()")).toBe(
				expected,
			);
		}
	});

	test("a browser that does not let the page copy says so", async () => {
		const page = await open(demo);
		await page.evaluate(
			"navigator.clipboard.writeText = () => Promise.reject(new Error())",
		);
		await clickFlow(page, "Basic");
		await page.getByRole("button", { name: "Copy token" }).click();
		await said(page, "Not copied");
	});

	test("a pasted token is not compared with it", async () => {
		const page = await open(demo);
		await clickFlow(page, "JWT");
		await page.getByText("The request came with a token").waitFor();
		await paste(page, await signToken("RS256-jwk-private.json", GOOD));
		await verdict(page, "Verified");
		expect(await cells(page, "Claims", "iss")).toHaveLength(2);
		expect(await page.getByText("The request came").count()).toBe(0);
	});
});

describe("what is wrong is said in words", () => {
	test("a token that is tampered with is invalid, until it is no more", async () => {
		const page = await open(demo);
		await clickFlow(page, "Basic");
		await page.getByText("Basic: 200, and").waitFor();
		await verdict(page, "Verified");
		await page.getByLabel("Tamper").check();
		await verdict(page, "✗ Signature not valid");
		expect(await cells(page, "Claims", "client_id")).toEqual([
			['"my-user, tampered"'],
			["unknown"],
		]);
		await page.getByLabel("Tamper").uncheck();
		await verdict(page, "✓ Verified");
	});

	test("other requests do not take the place of a token that is tampered with, until the next is asked for", async () => {
		const { gateway, backend } = await start();
		const page = await open({ backend });
		await clickFlow(page, "Basic");
		await page.getByText("Basic: 200, and").waitFor();
		await page.getByLabel("Tamper").check();
		await verdict(page, "✗ Signature not valid");
		await send(`${gateway.httpUrl}/apiKey`, {
			headers: { apikey: "012345AZERTY!" },
		});
		await listed(page).nth(1).waitFor();
		await page.getByText("request for /basicAuth").waitFor();
		expect(await page.getByLabel("Tamper").isChecked()).toBe(true);
		await clickFlow(page, "API key");
		await page.getByText("request for /apiKey").waitFor();
		await verdict(page, "✓ Verified");
	});

	test.each([
		[
			"an expired token",
			() => signToken("RS256-jwk-private.json", { ...GOOD, exp: 1000 }),
			"✗ Expired",
			/signature is the gateway's, but the token expired \d+ y/,
		],
		[
			"a token for another backend",
			() => signToken("RS256-jwk-private.json", { ...GOOD, aud: "http://pay" }),
			"✗ Wrong audience",
			/aud is "http:\/\/pay"; "http:\/\/httpbin:9000\/anything" is expected/,
		],
		[
			"a token of another issuer",
			() => signToken("RS256-jwk-private.json", { ...GOOD, iss: "mallory" }),
			"✗ Wrong issuer",
			/"mallory"/,
		],
		[
			"a token of another key",
			() => signToken("idp-jwk-private.json", GOOD),
			"✗ No key for this kid",
			/No key has the token's kid ".+"; there are "kong"/,
		],
		[
			"an unsigned token",
			async () => "eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJhZG1pbiJ9.",
			"✗ Algorithm not accepted",
			/alg is none: .* RS256 would be accepted/i,
		],
		[
			"two parts",
			async () => "eyJhbGciOiJub25lIn0.e30",
			"✗ Not a JWT",
			/three parts .* this has 2/,
		],
		["prose", async () => "let me in", "✗ Not a JWT", /this has 1/],
	])("%s", async (_, token, headline, words) => {
		const page = await open(demo);
		await paste(page, await token());
		expect(await verdict(page, headline)).toMatch(words);
	});

	test.each([
		["without the cors plugin on the JWKS route", ["plugins", 1]],
		["without the JWKS route", []],
	])("%s the page says so", async (_, missing) => {
		const broken = await start((kongYml) => {
			kongYml.deleteIn(["routes", 0, ...missing]);
		});
		const page = await open(broken);
		await paste(page, await signToken("RS256-jwk-private.json", GOOD));
		expect(await verdict(page, "? No CORS header")).toContain(
			"without the header Access-Control-Allow-Origin, so no web page may read the JWK Set. Is the route there",
		);
	});

	test("a gateway that is gone", async () => {
		const gone = await start();
		const page = await open(gone);
		await clickFlow(page, "Basic");
		await listed(page).first().waitFor();
		await verdict(page, "Verified");
		await gone.gateway.close();
		await page.getByLabel("Tamper").check();
		expect(await verdict(page, "? JWKS route down")).toContain(
			"Nothing answers",
		);
		await clickFlow(page, "API key");
		await said(page, "? API key: not sent");
		await said(page, "The gateway does not answer: connect ECONNREFUSED");
		expect(complaints.splice(0).join()).toContain("502");
	});

	test("a JWKS route that answers something else", async () => {
		const broken = await start((kongYml) => {
			kongYml.setIn(["routes", 0, "plugins", 0, "config", "body"], "{}");
		});
		const page = await open(broken);
		await paste(page, await signToken("RS256-jwk-private.json", GOOD));
		expect(await verdict(page, "? No JWK Set")).toContain("not a JWK");
	});

	test("a backend that is gone", async () => {
		const gone = await start();
		const page = await open(gone);
		await gone.backend.close();
		await said(page, "✗ The sample backend is away; trying again");
		await clickFlow(page, "Basic");
		await said(page, "? Basic: not sent");
		expect(complaints.splice(0).join()).toContain("/inspector/events");
	});

	test("a token that expires while it is looked at", async () => {
		const page = await open(demo);
		await paste(page, await signToken("RS256-jwk-private.json", GOOD));
		await verdict(page, "✓ Verified");
		await page.clock.setFixedTime(Date.now() + 2 * 3600 * 1000);
		await verdict(page, "✗ Expired");
	});
});

describe("a hostile token", () => {
	test("markup in claims, header and claim names stays text", async () => {
		const page = await open(demo);
		const markup = "<img src=x onerror=\"document.title='owned'\">";
		await paste(
			page,
			await signToken("RS256-jwk-private.json", {
				...GOOD,
				[markup]: markup,
				sub: "admin\u202Enimda",
			}),
		);
		await verdict(page, "✓ Verified");
		expect(await page.locator("img").count()).toBe(0);
		expect(await page.title()).toBe("Token inspector");
		expect((await cells(page, "Claims", markup))[0]).toEqual([
			JSON.stringify(markup),
		]);
		expect((await cells(page, "Claims", "sub"))[0]).toEqual([
			'"admin\\u202enimda"',
		]);
	});

	test("markup in the token that a request came with stays text", async () => {
		const { backend } = await start();
		const page = await open({ backend });
		const markup = "<img src=x onerror=\"document.title='owned'\">";
		const part = Buffer.from(JSON.stringify({ [markup]: markup }));
		await send(`http://localhost:${backend.port}/anything`, {
			headers: {
				"x-custom-jwt": await signToken("RS256-jwk-private.json", GOOD),
				authorization: `Bearer e30.${part.toString("base64url")}.`,
			},
		});
		await page.getByText("1 removed").waitFor();
		expect((await cells(page, "Claims", markup))[0]).toEqual([
			JSON.stringify(markup),
		]);
		expect(await page.locator("img").count()).toBe(0);
	});

	test("its jku is never fetched, and a pasted token goes nowhere", async () => {
		const page = await open(demo);
		const asked = new Set<string>();
		page.on("request", (request) => {
			asked.add(`${request.method()} ${request.url()}`);
		});
		const header = { alg: "RS256", kid: "kong", jku: "https://evil.example/" };
		const [, claims, signature] = (
			await signToken("RS256-jwk-private.json", GOOD)
		).split(".");
		const part = Buffer.from(JSON.stringify(header)).toString("base64url");
		await paste(page, [part, claims, signature].join("."));
		await verdict(page, "✗ Signature not valid");
		expect((await cells(page, "Header", "jku"))[0]?.[0]).toContain(
			"evil.example",
		);
		expect([...asked]).toEqual([
			`GET ${demo.gateway.httpUrl}/x-custom-jwt/jwks`,
		]);
	});

	test("the page may connect to the gateway and its own backend only", async () => {
		const page = await open(demo);
		const blocked = await page.evaluate<string>(
			`new Promise((resolve) => {
				addEventListener("securitypolicyviolation", (event) => resolve(event.blockedURI));
				fetch("http://localhost:1/").catch(() => {});
			})`,
		);
		expect(blocked).toContain("http://localhost:1/");
		expect(complaints.splice(0).join()).toContain("Content Security Policy");
	});
});

describe("for everybody", () => {
	test("the keyboard alone sends a request, chooses it, tampers and pastes", async () => {
		const page = await open(await start());
		const tabTo = async (
			name: string | RegExp,
			role: "button" | "checkbox",
		) => {
			const wanted = page.getByRole(role, { name, exact: true });
			for (let presses = 0; presses < 40; presses++) {
				await page.keyboard.press("Tab");
				// Whoever uses the keyboard sees where it is, on all that it comes to.
				const unseen = `document.activeElement !== document.body &&
					getComputedStyle(document.activeElement).outlineStyle === "none"`;
				expect(await page.evaluate(unseen)).toBe(false);
				if (await wanted.and(page.locator(":focus")).count()) return;
			}
			throw new Error(`Tab does not come to ${name}`);
		};
		await tabTo("Basic", "button");
		await page.keyboard.press("Enter");
		await verdict(page, "✓ Verified");
		await tabTo(/\/basicAuth/, "button");
		await page.keyboard.press("Space");
		await verdict(page, "✓ Verified");
		await page.keyboard.press("Tab");
		await page.keyboard.type("nonsense");
		await verdict(page, "✗ Not a JWT");
		await tabTo("Clear", "button");
		await page.keyboard.press("Enter");
		await verdict(page, "✓ Verified");
		await tabTo(/Tamper/, "checkbox");
		await page.keyboard.press("Space");
		await verdict(page, "✗ Signature not valid");
	});

	describe("looks", () => {
		let shared: Demo;
		beforeAll(async () => {
			shared = await start();
		});

		test.each([
			["light", 1280],
			["dark", 1280],
			["light", 1000],
			["dark", 768],
			["light", 400],
			["light", 320],
		] as const)(
			"%s, %i pixels wide: nothing is cut off, no word is broken, and axe-core finds nothing",
			async (colorScheme, width) => {
				const viewport = { width, height: 800 };
				const page = await open(shared, { viewport, colorScheme });
				for (const flow of ["Client certificate", "Basic", "API key", "JWT"]) {
					await clickFlow(page, flow);
					await page.getByText(`${flow}: 200, and`).waitFor();
				}
				await listed(page).nth(3).waitFor();
				await verdict(page, "✓ Verified");
				// What a button brings is seen without scrolling; with room for it, the claims too.
				if (width >= 400)
					expect(await bottom(page, "#times")).toBeLessThan(800);
				if (width >= 1280)
					expect(await bottom(page, "#claims")).toBeLessThan(800);
				if (width >= 1280) await save(page, colorScheme);
				await expectFit(page);
				expect(await brokenWords(page)).toEqual([]);
				await page.getByLabel("Tamper").check();
				await verdict(page, "✗ Signature not valid");
				await expectFit(page);
				await clickFlow(page, "JWT, tampered");
				await page.getByText("401, “Invalid signature”").waitFor();
				await expectFit(page);
				expect(await brokenWords(page)).toEqual([]);
				await paste(page, "x".repeat(2000));
				await verdict(page, "✗ Not a JWT");
				await expectFit(page);
			},
		);

		test("claims and names as long as nothing else fit a phone", async () => {
			const viewport = { width: 320, height: 800 };
			const page = await open(shared, { viewport });
			const long = "y".repeat(200);
			const claims = { ...GOOD, [long]: { [long]: [long, "a/b@c"] } };
			await paste(page, await signToken("RS256-jwk-private.json", claims));
			await verdict(page, "✓ Verified");
			await expectFit(page);
		});
	});
});

/** Where an element ends, in pixels below the top of the window. */
function bottom(page: Page, selector: string): Promise<number> {
	return page.evaluate<number>(
		`document.querySelector("${selector}").getBoundingClientRect().bottom`,
	);
}

/** No sideways scrolling, and no finding of axe-core. */
async function expectFit(page: Page): Promise<void> {
	const misfits = `[document.documentElement, ...document.querySelectorAll("section")]
		.filter((each) => each.scrollWidth > each.clientWidth)
		.map((each) => each.outerHTML)`;
	expect(await page.evaluate<string[]>(misfits)).toEqual([]);
	await page.evaluate(axe.source);
	const { violations } = await page.evaluate<AxeResults>(
		`axe.run({ rules: { "target-size": { enabled: true } } })`,
	);
	expect(
		violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
	).toEqual([]);
}

/** Words that a line's end breaks; raw tokens have none. */
function brokenWords(page: Page): Promise<string[]> {
	return page.evaluate<string[]>(`(() => {
		const broken = [];
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let node = texts.nextNode(); node; node = texts.nextNode()) {
			if (node.parentElement.closest(".raw")) continue;
			for (const { 0: word, index } of node.data.matchAll(/\\w+/g)) {
				const range = new Range();
				range.setStart(node, index);
				range.setEnd(node, index + word.length);
				const lines = new Set([...range.getClientRects()].map(({ top }) => top));
				if (lines.size > 1) broken.push(word);
			}
		}
		return broken;
	})()`);
}

/** Writes a picture of the page to the folder SCREENSHOTS, when it is set: each run's differs. */
async function save(page: Page, name: string): Promise<void> {
	const { SCREENSHOTS } = process.env;
	if (!SCREENSHOTS) return;
	mkdirSync(SCREENSHOTS, { recursive: true });
	const picture = await page.screenshot();
	writeFileSync(join(SCREENSHOTS, `inspector-${name}.png`), picture);
}
