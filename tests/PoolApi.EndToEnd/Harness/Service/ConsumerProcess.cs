using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>An app that uses the library, running as a process of its own: <c>PoolApi.EndToEnd.App</c>.</summary>
internal sealed class ConsumerProcess : IAsyncDisposable
{
    private const string Listening = "Now listening on: ";
    private readonly RunningProgram _program;
    private HttpClient? _client;

    private ConsumerProcess(ProcessStartInfo start) => _program = new RunningProgram(start);

    /// <summary>All that the app wrote.</summary>
    public LineLog Log => _program.Log;

    /// <summary>An HTTP client of the app.</summary>
    public HttpClient Client => _client!;

    /// <summary>Starts the app on a port that the system chooses, and waits until it listens.</summary>
    public static async Task<ConsumerProcess> StartAsync(params string[] settings)
    {
        string assembly = Path.Combine(
            Repository.Root, "tests", "PoolApi.EndToEnd.App", "bin", Repository.Configuration, "net10.0", "PoolApi.EndToEnd.App.dll");
        var app = new ConsumerProcess(new ProcessStartInfo(Repository.DotNet, ["exec", assembly, "--urls", "http://127.0.0.1:0", .. settings]));
        try
        {
            string line = await app.WaitForLineAsync(Listening);
            app._client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]) };
            await app.WaitForLineAsync("Application started");
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends a request that holds the worker until it is released, and waits until the worker has it.</summary>
    public async Task<Task<HttpResponseMessage>> HoldAsync()
    {
        Task<HttpResponseMessage> held = Client.GetAsync(new Uri("/held", UriKind.Relative));
        await WaitForLineAsync("A worker is held");
        return held;
    }

    /// <summary>Releases the worker.</summary>
    public async Task ReleaseAsync()
    {
        using HttpResponseMessage response = await Client.GetAsync(new Uri("/release", UriKind.Relative));
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Sends a signal.</summary>
    public void Send(UnixSignal signal) => _program.Send(signal);

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited => _program.HasExited;

    /// <summary>The names of its threads; Linux cuts each to 15 characters.</summary>
    public string[] Threads() => ProcessFacts.ThreadNames(_program.Id);

    /// <summary>Waits for a line of the log that contains these words.</summary>
    public Task<string> WaitForLineAsync(string words) => _program.WaitForLineAsync(words);

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code; 128 and the signal's number if a signal ended it.</returns>
    public Task<int> WaitForExitAsync() => _program.WaitForExitAsync();

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"--- log of the app, exit {_program.ExitCode}\n{Log}");
        _client?.Dispose();
    }
}
