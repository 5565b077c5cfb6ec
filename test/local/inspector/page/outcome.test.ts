import {
	tellingOf,
	timesOf,
	wordsOf,
} from "../../../../local/inspector/page/outcome";

const BACKEND = {
	arrivalMs: 2.26,
	request: {
		id: 1,
		time: 0,
		path: "/",
		status: 200,
		token: "",
		verifyMs: 0.36,
	},
};

describe("what became of a flow", () => {
	test.each([
		[
			"accepted",
			200,
			200,
			"verified",
			"x: 200, and the backend verified the token",
			"",
		],
		[
			"refused by the backend",
			401,
			401,
			"invalid",
			"x: 401 from the backend",
			"It says “no token; reason: none came”.",
		],
		[
			"not as it should",
			200,
			401,
			"unknown",
			"x: 401 from the backend",
			"200 was expected. It says “no token; reason: none came”.",
		],
	] as const)("%s", (_, expected, status, state, headline, detail) => {
		const body = '{"message":"no token","reason":"none came"}';
		const outcome = { status, body, totalMs: 3, backend: BACKEND };
		expect(tellingOf({ name: "x", status: expected }, outcome)).toEqual({
			state,
			headline,
			detail,
		});
	});

	test.each([
		[401, "invalid"],
		[200, "verified"],
	])("%s of the gateway itself", (status, state) => {
		const outcome = { status, body: '{"exp":"token expired"}', totalMs: 3 };
		expect(tellingOf({ name: "x", status }, outcome)).toEqual({
			state,
			headline: `x: ${status} from the gateway itself`,
			detail:
				"It says “exp: token expired”. The backend did not see the request.",
		});
	});
});

test.each([
	[
		"Kong's message, without its id",
		'{"message":"Unauthorized","request_id":"1"}',
		"Unauthorized",
	],
	[
		"no message",
		'{"exp":"token expired","nbf":[1]}',
		"exp: token expired; nbf: [1]",
	],
	["no JSON", " <h1>\n502 ", "<h1> 502"],
	["null", "null", "null"],
	["an empty object", "{}", "{}"],
	["nothing", "", "nothing"],
	["more than anybody reads", "x".repeat(301), `${"x".repeat(300)} …`],
])("words of an answer: %s", (_, body, words) => {
	expect(wordsOf(body)).toBe(words);
});

describe("times", () => {
	test("of the parts add up to all, also when they are rounded", () => {
		const times = timesOf({
			status: 200,
			body: "",
			totalMs: 3.08,
			backend: BACKEND,
		});
		// 2.26, 0.36 and 0.46 ms: 3.1 ms would be less than 2.3, 0.4 and 0.5 together.
		expect(times.map(({ ms }) => ms)).toEqual(["2.3", "0.4", "0.5", "3.2"]);
	});

	test("have no part of the backend when it was not reached", () => {
		expect(timesOf({ status: 401, body: "", totalMs: 1 })).toEqual([
			{ part: "Gateway and plugins", ms: "1.0" },
			{ part: "In all", ms: "1.0" },
		]);
	});
});
