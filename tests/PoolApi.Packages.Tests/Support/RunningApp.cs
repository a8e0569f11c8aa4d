using System.Text.RegularExpressions;

namespace PoolApi.Packages.Tests.Support;

/// <summary>An app that runs as a process of its own, on a port that the kernel chose.</summary>
internal sealed partial class RunningApp : IAsyncDisposable
{
    private readonly RunningProgram _program;

    private RunningApp(RunningProgram program) => _program = program;

    public HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Patience.Long };

    public string Log => _program.Log.ToString();

    /// <summary>Starts an app that serves HTTP, and waits until it listens.</summary>
    public static async Task<RunningApp> ListenAsync(string folder, string program, params string[] arguments)
    {
        RunningApp app = Start(folder, program, [.. arguments, "--urls", "http://127.0.0.1:0"]);
        try
        {
            app.Client.BaseAddress = new Uri((await app.WaitForAsync(Listening(), 1)).Single().Groups[1].Value);
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts an app, which may have child processes.</summary>
    public static RunningApp Start(string folder, string program, params string[] arguments) =>
        new(new RunningProgram(ProgramRun.Apart(folder, program, arguments), hasChildren: true));

    /// <summary>Waits until this many lines of its log match.</summary>
    public async Task<IReadOnlyList<Match>> WaitForAsync(Regex pattern, int count)
    {
        var matches = new List<Match>();
        await _program.WaitForLineAsync(
            line =>
            {
                if (pattern.Match(line) is not { Success: true } match) return false;
                matches.Add(match);
                return matches.Count == count;
            },
            $"{count} times '{pattern}'");
        return matches;
    }

    /// <summary>The body of a response that must be a success.</summary>
    public async Task<string> GetAsync(string path)
    {
        using HttpResponseMessage response = await Client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {response.StatusCode} {body}\n{Log}");
        return body;
    }

    /// <summary>Stops the app by SIGTERM, as an orchestrator does. It must end with exit code 0.</summary>
    public async Task StopAsync()
    {
        _program.Send(UnixSignal.Terminate); // throws if the app has ended already
        int exitCode = await _program.WaitForExitAsync();
        Assert.True(exitCode == 0, $"the process ended with {exitCode}:\n{Log}");
    }

    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        Client.Dispose();
    }

    [GeneratedRegex(@"Now listening on: (http://127\.0\.0\.1:\d+)$")]
    private static partial Regex Listening();
}
