using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace PoolApi.Packages.Tests.Support;

/// <summary>An app that runs as a process of its own, on a port that the kernel chose.</summary>
internal sealed partial class RunningApp : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _log = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RunningApp(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.Exited += (_, _) => Take("(the process has ended)");
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Patience.Long };

    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

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

    /// <summary>Starts an app.</summary>
    public static RunningApp Start(string folder, string program, params string[] arguments) => new(ProgramRun.Apart(folder, program, arguments));

    /// <summary>Waits until its log has this many matches.</summary>
    public async Task<IReadOnlyList<Match>> WaitForAsync(Regex pattern, int count)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience.Long);
        while (true)
        {
            Task more = Volatile.Read(ref _more).Task;
            Match[] matches = [.. pattern.Matches(Log).Cast<Match>()];
            if (matches.Length >= count) return matches;
            Assert.False(_process.HasExited, $"the process ended early:\n{Log}");
            try
            {
                await more.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"the log has {matches.Length} of {count} '{pattern}':\n{Log}");
            }
        }
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
        Libc.Send(_process.Id, UnixSignal.Terminate);
        using var patience = new CancellationTokenSource(Patience.Long);
        await _process.WaitForExitAsync(patience.Token);
        Assert.True(_process.ExitCode == 0, $"the process ended with {_process.ExitCode}:\n{Log}");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Client.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null) return;
        lock (_log) _log.Append(line).Append('\n');
        Interlocked.Exchange(ref _more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    [GeneratedRegex(@"Now listening on: (http://127\.0\.0\.1:\d+)\n")]
    private static partial Regex Listening();
}
