import { standIn } from "./stand-in";

const METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";

/** Kong's cors for everybody: `origins: ["*"]`. */
export const cors = standIn(
	2000,
	{
		origins: { type: "array", items: { const: "*" } },
		allow_origin_absent: { const: true },
		credentials: { const: false },
		methods: { type: "array" },
		preflight_continue: { const: false },
		private_network: { const: false },
	},
	(request) => {
		request.responseHeaders["access-control-allow-origin"] = "*";
		const isPreflight =
			request.method === "OPTIONS" &&
			request.header("origin") &&
			request.header("access-control-request-method");
		if (!isPreflight) return undefined;
		const headers = request.header("access-control-request-headers");
		return {
			status: 200,
			headers: {
				"access-control-allow-methods": METHODS,
				...(headers && { "access-control-allow-headers": headers }),
			},
		};
	},
);
