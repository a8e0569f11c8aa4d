using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Npgsql;

namespace PoolApi.EndToEnd;

/// <summary>The commands of the documentation, run as they are written, with the answers that it shows.</summary>
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
                TimeSpan.FromSeconds(60));

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

    /// <summary>The backup is taken while the service writes, and restored over a store that has gone on since.</summary>
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

    /// <summary>The backup is taken while an instance runs a job and another job is queued; it is restored over a schema that has gone on since.</summary>
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
        // Its short lease may be lost once more on a busy machine.
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

    private static IEnumerable<string> Pages() => Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories)
        .Append(Path.Combine(Repository.Root, "README.md")).Append(Path.Combine(Repository.Root, "deploy", "README.md"));

    /// <summary>The lines that begin with curl, in a block or a cell, each with the block of an answer that follows it.</summary>
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

    /// <summary>The line with any numbers in the places of those that are shown, and any identifier in that of the job.</summary>
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

    [GeneratedRegex(@" -o (\S+)")]
    private static partial Regex Output();

    [GeneratedRegex(@"\d+\\\.\d+|(?<=cpu-)\d")]
    private static partial Regex Number();
}
