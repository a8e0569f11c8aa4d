using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Npgsql;

namespace PoolApi.EndToEnd;

/// <summary>The commands of the documentation work as they are written, and their output is the output that the pages show.</summary>
public sealed partial class DocumentationTests(SharedPostgres postgres)
{
    private const string Accepted = "0199…";

    [Fact]
    public async Task Every_curl_of_a_page_answers_as_the_page_says()
    {
        Tool.Require("curl", "apt-get install curl");
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2");
        (string Page, string Command, string? Answer)[] commands = [.. Pages().SelectMany(Commands)];
        Assert.True(commands.Length >= 4, $"{commands.Length} commands were found");
        foreach (var (page, command, answer) in commands)
        {
            using var folder = new TemporaryFolder();
            Directory.CreateSymbolicLink(Path.Combine(folder.Path, "docs"), Path.Combine(Repository.Root, "docs"));
            string line = command.Replace("http://localhost:8080", service.Api.Url, StringComparison.Ordinal).Replace("http://localhost:8081", service.Management.Url, StringComparison.Ordinal);
            var run = await ProgramRun.ToEndAsync(
                new ProcessStartInfo("bash", ["-c", line.Replace("curl ", "curl --silent --show-error --fail-with-body ", StringComparison.Ordinal)]) { WorkingDirectory = folder.Path },
                Patience.Long);

            Assert.True(run.ExitCode == 0, $"{page}: {command}\n{run.Text}");
            if (Output().Match(command) is { Success: true } output)
                Assert.True(new FileInfo(Path.Combine(folder.Path, output.Groups[1].Value)).Length > 100, $"{page}: {command} wrote no file");
            foreach (string shown in answer?.Split('\n', StringSplitOptions.RemoveEmptyEntries) ?? [])
                Assert.Contains(run.Lines, got => Shape(shown).IsMatch(got));
        }
    }

    [Fact]
    public void Every_block_of_JSON_is_JSON()
    {
        string[] blocks = [.. Pages().SelectMany(static page => Json().Matches(File.ReadAllText(page)).Select(static block => block.Groups[1].Value))];
        Assert.NotEmpty(blocks);
        Assert.All(blocks, static block => JsonDocument.Parse(block).Dispose());
    }

    /// <summary>The backup is taken while the service writes, and restored over a store that has changed since.</summary>
    [Fact]
    public async Task A_backup_of_the_jobs_is_made_and_restored_as_the_page_says()
    {
        Tool.Require("sqlite3", "apt-get install sqlite3");
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "operations.md"), TestContext.Current.CancellationToken);
        using var data = new TemporaryFolder();
        using var backup = new TemporaryFolder();
        string command = Backup().Match(page).Groups[1].Value.Replace("/data/", data.Path + "/", StringComparison.Ordinal).Replace("/backup/", backup.Path + "/", StringComparison.Ordinal);
        string[] settings = ["--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(data.Path, "jobs.db")}"];
        Guid before, after;
        await using (var service = await PoolApiProcess.StartAsync(ServiceForm.Any, settings))
        {
            before = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
            await service.Api.JobEndsAsync(before);
            for (int i = 0; i < 40; i++) await service.Api.AcceptJobAsync("/v1/diagnostics/noop", new ByteArrayContent(new byte[1 << 20]));
            using var enough = new CancellationTokenSource();
            Task writing = WriteAsync(service.Api, enough.Token); // a copy that began again after each commit would not end
            (await ProgramRun.ToEndAsync(new ProcessStartInfo("bash", ["-c", command]), Patience.Long)).MustSucceed();
            await enough.CancelAsync();
            await writing;
            after = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
            await service.KillAsync();
        }

        foreach (string file in Directory.EnumerateFiles(data.Path, "jobs.db*")) File.Delete(file);
        File.Copy(Path.Combine(backup.Path, "jobs.db"), Path.Combine(data.Path, "jobs.db"));
        await using var restored = await PoolApiProcess.StartAsync(ServiceForm.Any, settings);

        Assert.Equal("succeeded", (await restored.Api.JobAsync(before)).State);
        (await restored.Api.GetAsync($"/v1/jobs/{after}")).MustBe(404);

        static async Task WriteAsync(Endpoint api, CancellationToken enough)
        {
            while (!enough.IsCancellationRequested) await api.AcceptJobAsync("/v1/diagnostics/noop");
        }
    }

    /// <summary>The backup is taken while an instance runs a job and another job is queued. It is restored over a schema that has changed
    /// since.</summary>
    [Fact]
    public async Task A_backup_of_PostgreSQL_is_made_and_restored_as_the_page_says()
    {
        PostgresCluster.Require();
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "operations.md"), TestContext.Current.CancellationToken);
        string[] commands = [.. PostgresCommands().Matches(page).Select(static block => block.Groups[1].Value)];
        Assert.Equal(2, commands.Length);
        using var folder = new TemporaryFolder();
        string connection = await postgres.NewDatabaseAsync();
        byte[] photo = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "docs", "photo.jpg"), TestContext.Current.CancellationToken);
        string[] settings = ["--Jobs:Store postgres", $"--Jobs:ConnectionString {connection}", "--Jobs:Lease 00:00:03", PoolApiProcess.Diagnostics];
        Guid ended, running, queued, after;
        byte[] result;
        await using (var service = await PoolApiProcess.StartAsync(ServiceForm.Any, ["--Pool:Workers 1", .. settings]))
        {
            ended = await service.Api.AcceptJobAsync("/v1/thumbnails?width=64", Photo(), "Job-Tags: holiday", "Idempotency-Key: 7");
            await service.Api.JobEndsAsync(ended);
            result = (await service.Api.ResultAsync(ended)).MustBe(200).Body;
            running = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
            await service.Api.SeeJobAsync(running, static job => job.State == "running", "that the job runs");
            queued = await service.Api.AcceptJobAsync("/v1/thumbnails?width=65", Photo());
            await RunAsync(commands[0]);
            after = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
            await service.KillAsync();
        }

        await RunAsync(commands[1]);
        await using var restored = await PoolApiProcess.StartAsync(ServiceForm.Any, ["--Pool:Workers 2", .. settings]);

        var before = await restored.Api.JobAsync(ended);
        Assert.Equal("succeeded", before.State);
        Assert.Equal(["holiday"], before.Tags);
        Assert.Equal(result, (await restored.Api.ResultAsync(ended)).MustBe(200).Body);
        Assert.Equal(ended, JobRequests.IdOf(await restored.Api.PostWithAsync("/v1/thumbnails?width=64", Photo(), "Prefer: respond-async", "Idempotency-Key: 7")));
        (await restored.Api.GetAsync($"/v1/jobs/{after}")).MustBe(404);

        Assert.Equal("succeeded", (await restored.Api.JobEndsAsync(queued)).State);
        var direct = (await restored.Api.PostImageAsync("/v1/thumbnails?width=65", photo)).MustBe(200);
        Assert.Equal(direct.Body, (await restored.Api.ResultAsync(queued)).MustBe(200).Body);
        // On a busy machine the job may lose its short lease once more.
        await restored.Api.SeeJobAsync(running, static job => job is { State: "running", Attempt: > 1 }, "that the job of the dead instance runs again");
        Assert.Equal(3, (await restored.Api.JobsAsync("")).Count);

        HttpContent Photo() => new ByteArrayContent(photo) { Headers = { ContentType = new("image/jpeg") } };

        async Task RunAsync(string command)
        {
            var start = new ProcessStartInfo("bash", ["-e", "-c", command]) { WorkingDirectory = folder.Path };
            start.Environment["PATH"] = $"{PostgresCluster.ProgramFolder}:{start.Environment["PATH"]}";
            var database = new NpgsqlConnectionStringBuilder(connection);
            start.Environment["DATABASE"] = $"postgresql://{database.Username}@{database.Host}:{database.Port}/{database.Database}";
            (await ProgramRun.ToEndAsync(start, Patience.Long)).MustSucceed();
        }
    }

    /// <summary>README.md has the command that starts the service. With the arguments of docs/stopping.md it stops after two requests and writes the
    /// log lines of that page.</summary>
    [Fact]
    public async Task The_service_starts_and_stops_as_the_pages_say()
    {
        string stopping = await ReadAsync("docs", "stopping.md");
        string start = Start().Match(await ReadAsync("README.md")).Groups[1].Value;
        string command = StartToStop().Match(stopping).Groups[1].Value;
        Assert.StartsWith($"{start} -- ", command, StringComparison.Ordinal);
        Assert.Contains($"`{start} --`", await ReadAsync("docs", "operations.md"), StringComparison.Ordinal);
        byte[] photo = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "docs", "photo.jpg"), TestContext.Current.CancellationToken);
        using var folder = new TemporaryFolder();
        using Endpoint api = new(FreePorts.Next()), management = new(FreePorts.Next());
        string here = command.Replace("-c Release", $"--no-build -c {Repository.Configuration}", StringComparison.Ordinal)
            + $" --Urls {api.Url} --Management:Urls {management.Url} --Jobs:Path {folder.File("jobs.db")} --Pool:Workers 2";
        // The service ends by this timeout even if the test fails.
        Task<ProgramRun> running = ProgramRun.ToEndAsync(
            ProgramRun.Apart(Repository.Root, "bash", "-c", $"exec timeout {Patience.Long.TotalSeconds} {here}"), Patience.Long + Patience.Long);

        await Patience.UntilAsync(async () => running.IsCompleted || await IsReadyAsync(management), "That the service is ready");
        for (int i = 0; i < 2 && !running.IsCompleted; i++) (await api.PostImageAsync("/v1/thumbnails?width=320", photo)).MustBe(200);
        ProgramRun run = (await running).MustSucceed();

        string[] shown = [.. StopLog().Match(stopping).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        Assert.EndsWith(shown[^1], run.Lines[^1], StringComparison.Ordinal);
        foreach (string line in shown) Assert.Contains(run.Lines, got => Regex.IsMatch(got, Digits().Replace(Regex.Escape(line), @"\d+") + "$"));

        static async Task<bool> IsReadyAsync(Endpoint management)
        {
            try
            {
                return (await management.GetAsync("/readyz")).Status == 200;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task The_help_lists_every_program_command_of_the_pages()
    {
        string help = (await PoolApiProcess.RunToEndAsync(ServiceForm.Any, "--help")).MustSucceed().Text;
        string[] commands =
            [.. Pages().SelectMany(static page => ProgramCommand().Matches(File.ReadAllText(page))).Select(static match => match.Groups[1].Value).Distinct()];
        Assert.True(commands.Length >= 4, $"{commands.Length} commands were found");
        Assert.All(commands, command => Assert.Contains($"\n{command} ", $"\n{help}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_key_of_the_page_lets_an_operator_drain_the_service()
    {
        string page = await ReadAsync("deploy", "README.md");
        string said = (await PoolApiProcess.RunToEndAsync(ServiceForm.Any, KeyCommand().Match(page).Groups[1].Value.Split(' '))).MustSucceed().Text;
        Match role = KeyRole().Match(page);
        var environment = new Dictionary<string, string>
        {
            [KeyHash().Match(page).Value] = Hash().Match(said).Value,
            [role.Groups[1].Value] = role.Groups[2].Value,
        };
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, onePort: false, environment);

        (await service.Management.PostAsync("/drain")).MustBeProblem(401, "unauthorized");
        using var asks = new HttpRequestMessage(HttpMethod.Post, "/drain") { Headers = { { "X-Api-Key", Key().Match(said).Value } } };
        (await service.Management.SendAsync(asks)).MustBe(202);

        Assert.Equal(0, await service.WaitForExitAsync());
    }

    [Fact]
    public async Task The_API_speaks_TLS_with_the_settings_of_the_page()
    {
        using var certificate = new TlsCertificate("localhost");
        int port = FreePorts.Next();
        string folder = Path.GetDirectoryName(certificate.CertificateFile)!;
        string block = TlsSettings().Match(await ReadAsync("docs", "security.md")).Groups[1].Value
            .Replace(":8443", $":{port}", StringComparison.Ordinal).Replace("/tls/", $"{folder}/", StringComparison.Ordinal);
        Dictionary<string, string> settings = block.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line.Split('=', 2)).ToDictionary(static pair => pair[0], static pair => pair[1]);
        // Also on the command line, where the harness sets another address.
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, onePort: false, settings, $"--Urls {settings["Urls"]}");
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => certificate.Is(shown) },
        });

        using HttpResponseMessage answer = await client.GetAsync(new Uri($"https://localhost:{port}/openapi/v1.json"), TestContext.Current.CancellationToken);

        Assert.Equal(System.Net.HttpStatusCode.OK, answer.StatusCode);
    }

    private static Task<string> ReadAsync(params string[] path) =>
        File.ReadAllTextAsync(Path.Combine([Repository.Root, .. path]), TestContext.Current.CancellationToken);

    private static IEnumerable<string> Pages() => Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories)
        .Append(Path.Combine(Repository.Root, "README.md")).Append(Path.Combine(Repository.Root, "deploy", "README.md"));

    /// <summary>The lines that begin with curl, in a block or a table cell, each with the response block that follows it.</summary>
    private static IEnumerable<(string Page, string Command, string? Answer)> Commands(string page)
    {
        string text = File.ReadAllText(page);
        foreach (Match match in Curl().Matches(text))
        {
            string rest = text[(match.Index + match.Length)..];
            string? answer = Answer().Match(rest) is { Success: true } next && !Curl().IsMatch(rest[..next.Index]) ? next.Groups[1].Value : null;
            yield return (Path.GetFileName(page), match.Groups[1].Value, answer);
        }
    }

    /// <summary>The pattern of a line that a page shows: any number fits for a number of the page, and any identifier for that of the job.</summary>
    private static Regex Shape(string shown) =>
        new("^" + Number().Replace(Regex.Escape(shown.Replace(Accepted, "@", StringComparison.Ordinal)), @"\d+(\.\d+)?").Replace("@", "[0-9a-f-]{36}", StringComparison.Ordinal) + "$");

    [GeneratedRegex(@"^(?:\| [^|]*\| [^|]*\| `)?(curl [^`\n]*localhost:808[^`\n]*)", RegexOptions.Multiline)]
    private static partial Regex Curl();

    [GeneratedRegex(@"^```\n(HTTP/1\.1 .*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Answer();

    [GeneratedRegex(@"^```json\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Json();

    [GeneratedRegex(@"`(sqlite3 [^`]+vacuum into [^`]+)`")]
    private static partial Regex Backup();

    [GeneratedRegex(@"^```\n((?:pg_dump|psql) .*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex PostgresCommands();

    [GeneratedRegex(@"^```\n(dotnet run [^\n]+)\n```", RegexOptions.Multiline)]
    private static partial Regex Start();

    [GeneratedRegex(@"`(dotnet run [^`]+ --Shutdown:MaxRequests 2)`")]
    private static partial Regex StartToStop();

    [GeneratedRegex(@"^```\n(Shutdown: .*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex StopLog();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(@"`(PoolApi (?:--)?[a-z]+(?: [a-z]+)*)[^`]*`")]
    private static partial Regex ProgramCommand();

    [GeneratedRegex(@"`docker run --rm poolapi:local (keys new ops)`")]
    private static partial Regex KeyCommand();

    [GeneratedRegex(@"(?<=`)Auth__ApiKeys__ops__Hash(?=`)")]
    private static partial Regex KeyHash();

    [GeneratedRegex(@"`(Auth__ApiKeys__ops__Role)=(\w+)`")]
    private static partial Regex KeyRole();

    [GeneratedRegex(@"\bpk_[0-9a-f]{64}\b")]
    private static partial Regex Key();

    [GeneratedRegex(@"sha256:[0-9a-f]{64}")]
    private static partial Regex Hash();

    [GeneratedRegex(@"^```\n(Urls=https:.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex TlsSettings();

    [GeneratedRegex(@" -o (\S+)")]
    private static partial Regex Output();

    [GeneratedRegex(@"\d+\\\.\d+|(?<=cpu-)\d")]
    private static partial Regex Number();
}
