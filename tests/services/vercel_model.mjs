// Hold exchanges against the models that Vercel publishes in @vercel/sdk: a JSON list on standard input, the list of
// what is wrong on standard output. Arguments: the node_modules that holds the SDK.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const models = `${process.argv[2]}/@vercel/sdk/esm/models/`;
const operations = {
  get_user: [null, ["getauthuserop.js", "GetAuthUserResponseBody"]],
  get_team: [["getteamop.js", "GetTeamRequest"], ["team.js", "Team"]],
  get_project: [["getprojecthas2.js", "GetProjectRequest"], ["getprojectresponsebody.js", "GetProjectResponseBody"]],
  list_deployments: [["getdeploymentsop.js", "GetDeploymentsRequest"], ["getdeploymentsop.js", "GetDeploymentsResponseBody"]],
  get_deployment: [
    ["getdeploymentgitsourcedeploymentsresponse200applicationjsonresponsebody215type.js", "GetDeploymentRequest"],
    ["getdeploymentresponsebody.js", "GetDeploymentResponseBody"],
  ],
  create_deployment: [["responsebodyimages.js", "CreateDeploymentRequest"], ["createdeploymentresponsebody.js", "CreateDeploymentResponseBody"]],
  promote: [["requestpromoteop.js", "RequestPromoteRequest"], null],
  rollback: [["requestrollbackop.js", "RequestRollbackRequest"], null],
  list_aliases: [["listdeploymentaliasesop.js", "ListDeploymentAliasesRequest"], ["listdeploymentaliasesop.js", "ListDeploymentAliasesResponseBody"]],
  list_variables: [["filterprojectenvsop.js", "FilterProjectEnvsRequest"], ["filterprojectenvsop.js", "FilterProjectEnvsResponseBody"]],
  get_variable: [["getprojectenvop.js", "GetProjectEnvRequest"], ["getprojectenvop.js", "GetProjectEnvResponseBody"]],
  create_variable: [["createprojectenvop.js", "CreateProjectEnvRequest"], ["createprojectenvop.js", "CreateProjectEnvResponseBody"]],
  edit_variable: [["editprojectenvop.js", "EditProjectEnvRequest"], ["editprojectenvop.js", "EditProjectEnvResponseBody"]],
  remove_variable: [["removeprojectenvop.js", "RemoveProjectEnvRequest"], ["removeprojectenvop.js", "RemoveProjectEnvResponseBody"]],
  get_runtime_logs: [["getruntimelogsop.js", "GetRuntimeLogsRequest"], ["getruntimelogsop.js", "GetRuntimeLogsResponseBody"]],
};

async function schema(place, direction) {
  const module = await import(pathToFileURL(models + place[0]).href);
  const found = module[`${place[1]}$${direction}Schema`];
  if (!found) throw new Error(`${place[0]} has no ${place[1]}`);
  return found;
}

function lost(given, kept, path = "") {
  if (Array.isArray(given)) return given.flatMap((each, at) => lost(each, kept?.[at], `${path}[${at}]`));
  if (given === null || typeof given !== "object") return [];
  const names = new Map(Object.keys(kept ?? {}).map((name) => [name.toLowerCase(), name]));
  return Object.entries(given).flatMap(([name, value]) => {
    const there = names.get(name.toLowerCase());
    return there === undefined ? [`${path}.${name}`] : lost(value, kept[there], `${path}.${name}`);
  });
}

function judge(parsed, given) {
  if (!parsed.success) return parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  return lost(given, parsed.data).map((name) => `${name} is unknown`);
}

const typed = (query) =>
  Object.fromEntries(Object.entries(query).map(([name, value]) => [name, /^(\d+|true|false)$/.test(value) ? JSON.parse(value) : value]));

const problems = [];
for (const { operation, parameters, query, body, answer } of JSON.parse(readFileSync(0))) {
  if (!operations[operation]) continue;
  const [asked, answered] = operations[operation];
  if (asked) {
    const kind = await schema(asked, "outbound");
    const request = { ...parameters, ...query, ...(body === null ? {} : { requestBody: body }) };
    let parsed = kind.safeParse(request);
    if (!parsed.success) parsed = kind.safeParse({ ...request, ...typed(query) });
    const kept = parsed.success ? { ...parsed.data, requestBody: parsed.data.RequestBody ?? parsed.data.requestBody } : null;
    for (const each of judge(parsed.success ? { ...parsed, data: kept } : parsed, request)) problems.push(`request of ${operation}: ${each}`);
  }
  if (answered && answer !== null) {
    const parsed = (await schema(answered, "inbound")).safeParse(answer);
    for (const each of judge(parsed, answer)) problems.push(`answer to ${operation}: ${each}`);
  }
}
process.stdout.write(JSON.stringify([...new Set(problems)]));
