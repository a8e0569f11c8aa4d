using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Packages.Tests;

/// <summary>Each sample builds outside of the repository with the packages that an app gets, starts, does what it shows, and stops.</summary>
public sealed partial class SampleTests(BuiltSamples samples) : IClassFixture<BuiltSamples>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_snippet_of_the_documentation_compiles_with_the_packages() => Assert.InRange(samples.SnippetCount, 8, 1000); // in the build of the samples

    [Fact]
    public void Every_snippet_that_is_not_compiled_here_has_a_test_of_its_own() => Assert.All(Snippets.TestedElsewhere, static snippet =>
    {
        string page = snippet.Key.Split('#')[0];
        Assert.True(File.Exists(Path.Combine(Repository.Root, page)), snippet.Key);
        string test = File.ReadAllText(Path.Combine(Repository.Root, "tests", snippet.Value));
        Assert.Matches(@"    \[(Fact|Theory)\]\n", test);
        Assert.Contains($"{Path.GetFileName(page)}\"", test, StringComparison.Ordinal); // it reads the page
    });

    [Fact]
    public async Task Endpoint_runs_its_handler_on_the_pool()
    {
        await using RunningApp app = await samples.ListenAsync("Endpoint");
        JsonElement primes = Parse(await app.GetAsync("/primes/100"));
        Assert.Equal(25, primes.GetProperty("count").GetInt32());
        Assert.StartsWith("cpu-", primes.GetProperty("thread").GetString(), StringComparison.Ordinal);
        Assert.Contains("9592", Assert.Single(await TryAsync(app, "Endpoint")), StringComparison.Ordinal);
        await app.GetAsync("/readyz");
        await app.StopAsync();
    }

    [Fact]
    public async Task Controllers_run_their_actions_on_the_pool()
    {
        await using RunningApp app = await samples.ListenAsync("Controllers");
        JsonElement[] books = [.. Parse(await app.GetAsync("/books")).EnumerateArray()];
        Assert.NotEmpty(books);
        Assert.All(books, static book => Assert.StartsWith("io-", book.GetProperty("thread").GetString(), StringComparison.Ordinal));
        Assert.StartsWith("io-", Parse(await app.GetAsync("/books/1")).GetProperty("thread").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync(new Uri("/books/9", UriKind.Relative), Token)).StatusCode);
        Assert.NotEmpty(Parse(Assert.Single(await TryAsync(app, "Controllers"))).EnumerateArray());
        await app.StopAsync();
    }

    [Fact]
    public async Task Legacy_runs_its_whole_pipeline_on_the_pool()
    {
        await using RunningApp app = await samples.ListenAsync("Legacy");
        Assert.Matches(@"^cart of session-1, on legacy-\d$", await app.GetAsync("/shop/cart"));
        Assert.Matches(@"^cart of session-\d, on legacy-\d$", Assert.Single(await TryAsync(app, "Legacy")));
        await app.GetAsync("/readyz");
        await app.StopAsync();
    }

    [Fact]
    public async Task TwoPools_keeps_waiting_work_off_the_threads_that_compute()
    {
        await using RunningApp app = await samples.ListenAsync("TwoPools");
        Assert.StartsWith("cpu-", Parse(await app.GetAsync("/render/10")).GetProperty("thread").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("io-", Parse(await app.GetAsync("/books")).GetProperty("thread").GetString(), StringComparison.Ordinal);
        Assert.Equal("pong", await app.GetAsync("/books/ping"));
        string workers = Assert.Single(await TryAsync(app, "TwoPools"));
        Assert.Equal(18, Regex.Count(workers, "\"id\":"));
        await app.StopAsync();
    }

    [Fact]
    public async Task Worker_builds_each_report_on_the_pool_without_HTTP()
    {
        string file = Path.Combine(samples.Folder, "worker.db");
        await using RunningApp app = RunningApp.Start(Path.Combine(samples.Folder, "Worker"), "dotnet", samples.Program("Worker"), "--JobsFile", file);
        IReadOnlyList<Match> reports = await app.WaitForAsync(Report(), 12);
        Assert.Equal(12, reports.Select(static report => report.Groups[1].Value).Distinct().Count());
        Assert.DoesNotContain("Now listening", app.Log, StringComparison.Ordinal);
        await app.StopAsync();
    }

    [Fact]
    public async Task Jobs_serves_jobs_and_their_routes_with_at_most_ten_lines_of_code()
    {
        string[] lines = [.. (await File.ReadAllLinesAsync(Path.Combine(samples.Folder, "Jobs", "Program.cs"), Token)).Where(static line => line.Length > 0 && !line.StartsWith("using ", StringComparison.Ordinal))];
        Assert.InRange(lines.Length, 5, 10);

        await using RunningApp app = await samples.ListenAsync("Jobs", "--JobsFile", Path.Combine(samples.Folder, "jobs.db"));
        using var asks = new HttpRequestMessage(HttpMethod.Post, "/reports/2026") { Headers = { { "Prefer", "respond-async" } } };
        using HttpResponseMessage accepted = await app.Client.SendAsync(asks, Token);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);

        var job = new Uri(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!);
        using var waits = new HttpRequestMessage(HttpMethod.Get, job) { Headers = { { "Prefer", "wait=60" } } };
        using HttpResponseMessage ended = await app.Client.SendAsync(waits, Token);
        Assert.Equal("succeeded", Parse(await ended.Content.ReadAsStringAsync(Token)).GetProperty("state").GetString());
        Assert.StartsWith("2026-01 31 days\n", await app.GetAsync($"{job.AbsolutePath}/result"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 202 ", Assert.Single(await TryAsync(app, "Jobs")), StringComparison.Ordinal);

        // The README of the library shows this sample too. Its first command creates the job that the other commands use.
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "src", "PoolApi.Jobs.AspNetCore", "README.md"), Token);
        string[] commands = ShellBlock().Match(page).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, commands.Length);
        string made = await RunAsync(app, commands[0]);
        Assert.StartsWith("HTTP/1.1 202 ", made, StringComparison.Ordinal);
        string id = JobLocation().Match(made).Groups[1].Value;
        Assert.Equal("succeeded", Parse(await RunAsync(app, commands[1].Replace("0199…", id, StringComparison.Ordinal))).GetProperty("state").GetString());
        foreach (string command in commands[2..])
            Assert.StartsWith("2026-01 31 days\n", await RunAsync(app, command.Replace("0199…", id, StringComparison.Ordinal)), StringComparison.Ordinal);
        await app.StopAsync();
    }

    [Fact]
    public async Task Callback_calls_the_client_when_a_job_ends_and_repeats_a_call_that_fails()
    {
        Tool.Require("openssl", "apt-get install openssl");
        string[] settings = await SettingsAsync("Callback");
        byte[] key = Convert.FromBase64String(settings[^1]["whsec_".Length..]);
        int port = FreePorts.Next();
        using var client = new HttpListener { Prefixes = { $"http://localhost:{port}/" } };
        client.Start();
        await using RunningApp app = await samples.ListenAsync("Callback", [.. settings, "--JobsFile", Path.Combine(samples.Folder, "callback.db")]);

        foreach (string refused in (string[])["http://example.com/done", "ftp://localhost/done", "/done"])
            Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync(refused));
        Assert.StartsWith("HTTP/1.1 202 ", Assert.Single(await TryAsync(app, "Callback", ("localhost:9000", $"localhost:{port}"))), StringComparison.Ordinal);

        var ids = new HashSet<string>();
        foreach (HttpStatusCode status in (HttpStatusCode[])[HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK])
        {
            HttpListenerContext call = await client.GetContextAsync().Patiently();
            using var reader = new StreamReader(call.Request.InputStream);
            string body = await reader.ReadToEndAsync(Token), id = call.Request.Headers["webhook-id"]!;
            byte[] signed = Encoding.UTF8.GetBytes($"{id}.{call.Request.Headers["webhook-timestamp"]}.{body}");
            Assert.Equal($"v1,{Convert.ToBase64String(HMACSHA256.HashData(key, signed))}", call.Request.Headers["webhook-signature"]);
            JsonElement message = Parse(body);
            Assert.Equal("report.succeeded", message.GetProperty("type").GetString());
            ids.Add(id);
            Assert.StartsWith("2026-01 31 days\n", await app.GetAsync($"{message.GetProperty("data").GetProperty("job").GetString()}/result"), StringComparison.Ordinal);
            call.Response.StatusCode = (int)status;
            call.Response.Close();
        }
        Assert.Single(ids);
        await app.StopAsync();

        async Task<HttpStatusCode> ReportAsync(string callback)
        {
            using var asks = new HttpRequestMessage(HttpMethod.Post, $"/reports/2026?callback={Uri.EscapeDataString(callback)}") { Headers = { { "Prefer", "respond-async" } } };
            using HttpResponseMessage response = await app.Client.SendAsync(asks, Token);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task Dashboard_is_open_only_to_users_who_have_signed_in()
    {
        await using RunningApp app = await samples.ListenAsync("Dashboard", await SettingsAsync("Dashboard"));
        Assert.Equal(HttpStatusCode.Found, (await app.Client.GetAsync(new Uri("/ops/pools", UriKind.Relative), Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync(app, "wrong")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SignInAsync(app, "secret")).StatusCode);
        Assert.Contains("<html", await app.GetAsync("/ops/pools/"), StringComparison.Ordinal);
        Assert.Contains("<html", (await TryAsync(app, "Dashboard"))[1], StringComparison.Ordinal);
        await app.StopAsync();
    }

    [Fact]
    public async Task Complete_has_user_jobs_an_app_job_and_the_dashboard()
    {
        await using RunningApp app = await samples.ListenAsync("Complete", await SettingsAsync("Complete"));
        using HttpResponseMessage picture = await PostAsync("/render", """{"width":60,"height":20}""");
        Assert.True(picture.Headers.Contains("Server-Timing")); // set by the pool
        Assert.Matches(@"^([.#]{60}\n){20}$", await picture.Content.ReadAsStringAsync(Token));

        // Without a sign-in a client can neither create a job nor see one.
        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync("/users/7/report", """{"pages":2}""", ("Prefer", "respond-async"))).StatusCode);
        foreach (string closed in (string[])["/jobs", "/ops/pools"])
            Assert.False((await app.Client.GetAsync(new Uri(closed, UriKind.Relative), Token)).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync(app, "wrong", "ann")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SignInAsync(app, "secret", "ann")).StatusCode);

        // A job has the user and the header of its request, so its result equals the response to the same request without a job.
        (string, string) tenant = ("X-Tenant", "acme");
        using HttpResponseMessage direct = await PostAsync("/users/7/report", """{"pages":2}""", tenant);
        string report = await direct.Content.ReadAsStringAsync(Token);
        Assert.StartsWith("User 7, for ann of acme: 2 pages, ", report, StringComparison.Ordinal);
        string job = await AcceptAsync("""{"pages":2}""");
        using var waits = new HttpRequestMessage(HttpMethod.Get, new Uri(job, UriKind.Relative)) { Headers = { { "Prefer", "wait=60" } } };
        using HttpResponseMessage ended = await app.Client.SendAsync(waits, Token);
        JsonElement view = Parse(await ended.Content.ReadAsStringAsync(Token));
        Assert.Equal(("succeeded", 5), (view.GetProperty("state").GetString(), view.GetProperty("maxAttempts").GetInt32()));
        Assert.Equal(report, await app.GetAsync($"{job}/result"));
        Assert.Equal([report, report], (await app.WaitForAsync(BuiltReport(), 2)).Select(static line => line.Groups[1].Value));

        // A job that takes a minute or more reports its progress, and ends when its client cancels it.
        job = await AcceptAsync("""{"pages":100000}""");
        await using (EventReader events = await EventReader.OpenAsync(app.Client, $"{job}/events"))
        {
            (_, JsonElement running) = await events.NextAsync("job", static now => Progress(now) > 0);
            Assert.Equal("running", running.GetProperty("state").GetString());
            Assert.InRange(Progress(running), 0.01, 0.99);
            using HttpResponseMessage cancelled = await app.Client.DeleteAsync(new Uri(job, UriKind.Relative), Token);
            Assert.True(cancelled.IsSuccessStatusCode);
            await events.NextAsync("job", static now => now.GetProperty("state").GetString() == "cancelled");
        }

        // Two requests with one idempotency key create one job of the app. It belongs to no client, and the dashboard shows it.
        string[] ids = [await MonthlyAsync(), await MonthlyAsync()];
        Assert.Equal(ids[0], ids[1]);
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync(new Uri($"/jobs/{ids[0]}", UriKind.Relative), Token)).StatusCode);
        Assert.Contains("<html", await app.GetAsync("/ops/pools/"), StringComparison.Ordinal);
        await Patience.UntilAsync(async () => (await MonthlyJobAsync()).GetProperty("state").GetString() == "succeeded", "the report of the month is built");
        Assert.Equal(ids[0], (await MonthlyJobAsync()).GetProperty("id").GetString());
        Assert.StartsWith("2026-11: 30 pages, ", (await app.WaitForAsync(BuiltReport(), 3))[2].Groups[1].Value, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 202 ", (await TryAsync(app, "Complete"))[1], StringComparison.Ordinal);
        await app.StopAsync();

        async Task<HttpResponseMessage> PostAsync(string path, string json, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
            foreach ((string name, string value) in headers) request.Headers.Add(name, value);
            return await app.Client.SendAsync(request, Token);
        }

        async Task<string> AcceptAsync(string spec)
        {
            using HttpResponseMessage accepted = await PostAsync("/users/7/report", spec, tenant, ("Prefer", "respond-async"));
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
            return new Uri(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!).AbsolutePath;
        }

        async Task<string> MonthlyAsync()
        {
            using HttpResponseMessage enqueued = await app.Client.PostAsync(new Uri("/monthly", UriKind.Relative), null, Token);
            return Parse(await enqueued.Content.ReadAsStringAsync(Token)).GetProperty("id").GetString()!;
        }

        async Task<JsonElement> MonthlyJobAsync() =>
            Assert.Single(Parse(await app.GetAsync("/ops/pools/jobs/list?kind=report.monthly")).GetProperty("jobs").EnumerateArray());

        static double Progress(JsonElement job) => job.GetProperty("progress") is { ValueKind: JsonValueKind.Number } known ? known.GetDouble() : 0;
    }

    [Fact]
    public async Task NativeAot_is_one_program_without_the_runtime()
    {
        string folder = Path.Combine(samples.Folder, BuiltSamples.Published);
        string[] compiler = File.Exists("/usr/bin/clang") ? [] : ["-p:CppCompilerAndLinker=gcc"];
        string publish = Assert.Single(Listed(BuiltSamples.Published), static command => command.StartsWith("dotnet publish ", StringComparison.Ordinal));
        await ProgramRun.ApartAsync(
            Path.GetDirectoryName(samples.Folder)!, "dotnet",
            [
                .. publish.Split(' ')[1..], "-r", "linux-x64", "-o", Path.Combine(folder, "published"), "-v:q", "-nologo", "-warnaserror",
                "-p:NativeDebugSymbols=false", .. compiler,
            ]);
        Assert.False(File.Exists(Path.Combine(folder, "published", "NativeAot.dll")));
        await using RunningApp app = await RunningApp.ListenAsync(folder, Path.Combine(folder, "published", "NativeAot"));
        Assert.Matches("""^\{"id":7,"thread":"cpu-\d"\}$""", await app.GetAsync("/handler/7"));
        Assert.Matches(@"^io-\d$", await app.GetAsync("/legacy/any"));
        await app.StopAsync();
    }

    [Fact]
    public async Task AppHost_starts_the_service_before_its_client_and_stops_it()
    {
        string program = Path.Combine(Repository.Root, "src", "PoolApi", "bin", Repository.Configuration, "net10.0", "PoolApi");
        string folder = Path.Combine(samples.Folder, "AppHost");
        var service = new Uri($"http://127.0.0.1:{FreePorts.Next()}");
        await using RunningApp app = RunningApp.Start(
            folder, "dotnet", samples.Program("AppHost"),
            "--Program", program, "--Port", $"{service.Port}",
            "--ASPIRE_ALLOW_UNSECURED_TRANSPORT", "true", "--ASPNETCORE_URLS", $"http://127.0.0.1:{FreePorts.Next()}",
            "--ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", $"http://127.0.0.1:{FreePorts.Next()}", "--ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", $"http://127.0.0.1:{FreePorts.Next()}");

        // The service's response to the client, which starts once the service is ready.
        string answer = Path.Combine(folder, "api.json");
        await Patience.UntilAsync(() => File.Exists(answer) && File.ReadAllText(answer).EndsWith('}'), "the client has the response");
        Assert.Equal("PoolApi", Parse(await File.ReadAllTextAsync(answer, Token)).GetProperty("info").GetProperty("title").GetString());
        Assert.StartsWith("{", Assert.Single(await TryAsync(app, "AppHost", ("localhost:5005", service.Authority))), StringComparison.Ordinal);

        Assert.True(Runs(program));
        await app.StopAsync();
        await Patience.UntilAsync(() => !Runs(program), "the service has ended");

        static bool Runs(string program) => Directory.EnumerateDirectories("/proc").Any(process => IsOf(Path.Combine(process, "exe"), program));

        static bool IsOf(string link, string program)
        {
            try
            {
                return File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName == program;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return false; // the process has ended, or belongs to another user
            }
        }
    }

    [Fact]
    public void Every_sample_references_the_packed_version_and_is_listed_in_the_README()
    {
        string list = File.ReadAllText(Path.Combine(Repository.Root, "samples", "README.md"));
        foreach (string name in BuiltSamples.Names)
        {
            Assert.Contains($"| [{name}]({name}) |", list, StringComparison.Ordinal);
            Assert.Contains(typeof(SampleTests).GetMethods(), test => test.Name.StartsWith(name + "_", StringComparison.Ordinal));
            XElement[] packages = [.. XDocument.Load(Path.Combine(Repository.Root, "samples", name, $"{name}.csproj")).Descendants("PackageReference")
                .Where(static package => ((string)package.Attribute("Include")!).StartsWith("PoolApi.", StringComparison.Ordinal))];
            Assert.NotEmpty(packages);
            Assert.All(packages, static package => Assert.Equal(Packable.Version, (string?)package.Attribute("Version")));
        }
    }

    /// <summary>The commands of a sample in the list of samples/README.md.</summary>
    private static string[] Listed(string name)
    {
        string row = File.ReadLines(Path.Combine(Repository.Root, "samples", "README.md"))
            .Single(line => line.StartsWith($"| [{name}]({name}) |", StringComparison.Ordinal));
        return [.. Code().Matches(row.Split(" | ")[^1]).Select(static command => command.Groups[1].Value)];
    }

    /// <summary>The arguments with which the list starts a sample, as the shell passes them.</summary>
    private static async Task<string[]> SettingsAsync(string name)
    {
        string start = $"dotnet run --project samples/{name} ";
        string command = Assert.Single(Listed(name), command => command.StartsWith(start, StringComparison.Ordinal));
        var shell = new ProcessStartInfo("bash", ["-c", $"printf '%s\\n' {command[start.Length..]}"]);
        return [.. (await ProgramRun.ToEndAsync(shell, Patience.Long)).MustSucceed().Lines];
    }

    /// <summary>Runs the curl commands of a sample in the list.</summary>
    /// <returns>The output of each.</returns>
    private async Task<string[]> TryAsync(RunningApp app, string name, params (string Shown, string Here)[] places)
    {
        var answers = new List<string>();
        foreach (string call in Listed(name).Where(static command => command.StartsWith("curl ", StringComparison.Ordinal)))
            answers.Add(await RunAsync(app, places.Aggregate(call, static (text, place) => text.Replace(place.Shown, place.Here, StringComparison.Ordinal))));
        return [.. answers];
    }

    /// <summary>Runs a curl command of a page against this app instead of one on the default port.</summary>
    private async Task<string> RunAsync(RunningApp app, string call)
    {
        Tool.Require("curl", "apt-get install curl");
        string here = call.Replace("curl ", "curl --silent --show-error --fail-with-body ", StringComparison.Ordinal);
        if (app.Client.BaseAddress is { } address) here = here.Replace("localhost:5000", address.Authority, StringComparison.Ordinal);
        var shell = new ProcessStartInfo("bash", ["-c", here]) { WorkingDirectory = samples.Folder };
        return (await ProgramRun.ToEndAsync(shell, Patience.Long)).MustSucceed().Text;
    }

    private static async Task<HttpResponseMessage> SignInAsync(RunningApp app, string password, string name = "")
    {
        using var form = new FormUrlEncodedContent([new("name", name), new("password", password)]);
        return await app.Client.PostAsync(new Uri("/sign-in", UriKind.Relative), form, Token);
    }

    private static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("^```sh\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex ShellBlock();

    [GeneratedRegex(@"^Location: \.\./jobs/([0-9a-f-]{36})", RegexOptions.Multiline)]
    private static partial Regex JobLocation();

    [GeneratedRegex(@"Report (\d{4}-\d\d) built on reports-\d$")]
    private static partial Regex Report();

    [GeneratedRegex(@"Report built on cpu-\d: (.+)$")]
    private static partial Regex BuiltReport();
}
