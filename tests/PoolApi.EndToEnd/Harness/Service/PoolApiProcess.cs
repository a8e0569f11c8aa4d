using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>The service, running as a process of its own on free ports of this machine.</summary>
internal sealed class PoolApiProcess : IAsyncDisposable
{
    /// <summary>Switches the diagnostics routes on, whose cost is known.</summary>
    public const string Diagnostics = "--Workloads:Diagnostics true";

    /// <summary>The variable for the API port's protocol; "Http2" means HTTP/2 without TLS. A separate management port speaks HTTP/1.1.</summary>
    public const string ProtocolsVariable = "Kestrel__EndpointDefaults__Protocols";

    private const int MostStarts = 5;
    private const int LeastOnBusyMachine = 2500;

    private static readonly TimeSpan StartPatience = Patience.Long;
    private static readonly TimeSpan DefaultMaxQueueTime = TimeSpan.FromSeconds(30); // of the service
    private static readonly TimeSpan ReadyPause = TimeSpan.FromMilliseconds(20);
    private readonly RunningProgram _program;
    private readonly TemporaryFolder _folder;
    private bool _isDisposed;

    private PoolApiProcess(ProcessStartInfo start, TemporaryFolder folder, Endpoint api, Endpoint management)
    {
        (_folder, Api, Management) = (folder, api, management);
        _program = new RunningProgram(start);
    }

    /// <summary>The process id.</summary>
    public int Id => _program.Id;

    /// <summary>The API port.</summary>
    public Endpoint Api { get; }

    /// <summary>The management port.</summary>
    public Endpoint Management { get; }

    /// <summary>All that the service wrote.</summary>
    public LineLog Log => _program.Log;

    /// <summary>Starts the service on two free ports and waits until it is ready. A setting is written as on a command line:
    /// "--Pool:Workers 2".</summary>
    public static Task<PoolApiProcess> StartAsync(ServiceForm form, params string[] settings) =>
        StartAsync(form, onePort: false, environment: null, settings);

    /// <summary>Starts the service with environment variables, or with one port for everything.</summary>
    public static Task<PoolApiProcess> StartAsync(
        ServiceForm form, bool onePort, IReadOnlyDictionary<string, string>? environment, params string[] settings) =>
        ReadyAsync(() => LaunchAsync(form, onePort, environment, settings));

    /// <summary>Starts the service through a program that replaces itself with it (exec), and waits until it is ready.</summary>
    public static Task<PoolApiProcess> StartWithinAsync(string[] wrapper, ServiceForm form, params string[] settings) =>
        ReadyAsync(() => LaunchWithinAsync(wrapper, form, settings));

    /// <summary>Starts the service on these ports of a loopback address, and waits until it is ready.</summary>
    public static Task<PoolApiProcess> StartAtAsync(ServiceForm form, string host, int api, int management, params string[] settings) =>
        ReadyAsync(() => LaunchAsync(form, new Endpoint(api, host: host), new Endpoint(management, host: host), environment: null, settings, wrapper: []));

    /// <summary>Starts the service as an orchestrator does: repeats a start that failed because the database answered too late.</summary>
    private static async Task<PoolApiProcess> ReadyAsync(Func<Task<PoolApiProcess>> launchAsync)
    {
        for (int start = 1; ; start++)
        {
            var service = await launchAsync();
            try
            {
                await service.BecomeReadyAsync();
                return service;
            }
            catch
            {
                await service.DisposeAsync();
                if (start == MostStarts || !service.IsDatabaseLate)
                    throw;
            }
        }
    }

    /// <summary>Starts the service through another program and does not wait for anything.</summary>
    public static Task<PoolApiProcess> LaunchWithinAsync(string[] wrapper, ServiceForm form, params string[] settings) =>
        LaunchAsync(form, onePort: false, environment: null, settings, wrapper);

    /// <summary>Starts the service and does not wait for anything.</summary>
    public static Task<PoolApiProcess> LaunchAsync(
        ServiceForm form, bool onePort, IReadOnlyDictionary<string, string>? environment, params string[] settings) =>
        LaunchAsync(form, onePort, environment, settings, wrapper: []);

    private static async Task<PoolApiProcess> LaunchAsync(
        ServiceForm form, bool onePort, IReadOnlyDictionary<string, string>? environment, string[] settings, string[] wrapper)
    {
        bool http2 = environment?.GetValueOrDefault(ProtocolsVariable) == "Http2";
        var api = new Endpoint(FreePorts.Next(), http2);
        var management = new Endpoint(onePort ? api.Port : FreePorts.Next());
        return await LaunchAsync(form, api, management, environment, settings, wrapper);
    }

    private static async Task<PoolApiProcess> LaunchAsync(
        ServiceForm form, Endpoint api, Endpoint management, IReadOnlyDictionary<string, string>? environment, string[] settings, string[] wrapper)
    {
        var folder = new TemporaryFolder();
        api.RepeatsReads = settings.Contains("--Jobs:Store postgres");
        // A job store of its own. A setting of the test comes later on the command line, and wins.
        string jobs = $"--Jobs:Path {Path.Combine(folder.Path, "jobs", "jobs.db")}";
        // On a busy machine the sleeps are longer. The work queued behind them must not expire.
        string[] queueTime = MachineLoad.Factor > 1 ? [$"--Pool:MaxQueueTime {MachineLoad.Stretch(DefaultMaxQueueTime):c}"] : [];
        var start = await ServiceCommand.CreateAsync(
            form, folder.Path, [$"--Urls {api.Url}", $"--Management:Urls {management.Url}", jobs, StopTimes.DrainOnly, .. queueTime, .. settings], environment, wrapper);
        return new PoolApiProcess(start, folder, api, management);
    }

    /// <summary>Starts the service and waits for its end: for starts that must fail, and for subcommands.</summary>
    public static async Task<ProgramRun> RunToEndAsync(ServiceForm form, params string[] arguments)
    {
        using var folder = new TemporaryFolder();
        return await ProgramRun.ToEndAsync(await ServiceCommand.CreateAsync(form, folder.Path, arguments), StartPatience);
    }

    /// <summary>Sends a signal.</summary>
    public void Send(UnixSignal signal) => _program.Send(signal);

    /// <summary>The process id of the service if the wrapper is its parent.</summary>
    public async Task<int> ChildAsync() => int.Parse(
        await Eventually.SeesAsync(
            () => File.ReadAllTextAsync($"/proc/{Id}/task/{Id}/children"), children => children.Trim().Length > 0, "the wrapper's child", pause: TimeSpan.FromMilliseconds(1)),
        System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Ends the process with SIGKILL, and waits until it has ended.</summary>
    public async Task KillAsync()
    {
        _program.Kill();
        await WaitForExitAsync();
    }

    /// <summary>Waits for the end, and for the last line of the log.</summary>
    public Task<int> WaitForExitAsync() => _program.WaitForExitAsync();

    /// <summary>Stops the service as an orchestrator does, and reads the summary of the stop.</summary>
    public async Task<ShutdownSummary> StopAsync()
    {
        Send(UnixSignal.Terminate);
        return await ReadSummaryAsync();
    }

    /// <summary>Waits for the end, and reads the summary in the last line of the log. It must have the exit code of the
    /// process.</summary>
    public async Task<ShutdownSummary> ReadSummaryAsync()
    {
        int exitCode = await WaitForExitAsync();
        string last = Log.Lines.Last(line => line.Trim().Length > 0);
        var summary = ShutdownSummary.Parse(last);
        Assert.True(summary is not null, $"the last line is not the promised one: '{last}'\n{Log}");
        Assert.Equal(exitCode, summary!.Exit);
        return summary;
    }

    /// <summary>Whether it has written the last line of a shutdown.</summary>
    public bool HasSummary => Log.Lines.Any(static line => ShutdownSummary.Parse(line) is not null);

    /// <summary>Waits for a line of the log that contains these words.</summary>
    public Task<string> WaitForLineAsync(string words) => _program.WaitForLineAsync(words, StringComparison.OrdinalIgnoreCase);

    /// <summary>What every worker does now.</summary>
    public async Task<WorkersView> WorkersAsync() => WorkersView.Read((await Management.GetAsync("/v1/workers")).MustBe(200));

    /// <summary>Waits until the workers meet the condition.</summary>
    public Task<WorkersView> SeeWorkersAsync(Func<WorkersView, bool> accept, string what) =>
        Eventually.SeesAsync(WorkersAsync, accept, what);

    /// <summary>The path of work that sleeps, longer on a busy machine, so that it still runs during the test's next step.</summary>
    public static string Sleep(int milliseconds) => $"/v1/diagnostics/sleep?ms={SleepTime(milliseconds)}";

    /// <summary>How long that work sleeps, in milliseconds. On a busy machine it outlasts a few late answers.</summary>
    public static int SleepTime(int milliseconds) => MachineLoad.Stretch(MachineLoad.Factor > 1 ? Math.Max(milliseconds, LeastOnBusyMachine) : milliseconds);

    /// <summary>Occupies this many workers with sleeps, and waits until all of them run. They are longer on a busy machine.</summary>
    public async Task<Task<Answer>[]> OccupyAsync(int workers, int milliseconds, string more = "")
    {
        string path = Sleep(milliseconds) + more;
        var running = Enumerable.Range(0, workers).Select(_ => Api.PostAsync(path)).ToArray();
        await SeeWorkersAsync(view => view.Busy == workers, $"{workers} busy workers");
        return running;
    }

    /// <summary>Queues sleeps behind the busy workers and waits until they are all in the queue. They are longer on a busy machine.</summary>
    public async Task<Task<Answer>[]> QueueAsync(int items, int milliseconds)
    {
        int before = (await WorkersAsync()).QueueLength;
        string path = $"/v1/diagnostics/sleep?ms={MachineLoad.Stretch(milliseconds)}";
        var waiting = Enumerable.Range(0, items).Select(_ => Api.PostAsync(path)).ToArray();
        await SeeWorkersAsync(view => view.QueueLength == before + items, $"{items} more in the queue");
        return waiting;
    }

    /// <summary>The metrics, as a scrape sees them.</summary>
    public async Task<Exposition> MetricsAsync() => Exposition.Parse((await Management.GetAsync("/metrics")).MustBe(200).Text);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        await _program.DisposeAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"--- log of process {Id}, exit {_program.ExitCode}\n{Tail()}");
        Api.Dispose();
        Management.Dispose();
        _folder.Dispose();
    }

    /// <summary>Whether the start failed because PostgreSQL could not be reached within the few seconds that a start waits, as on a very busy machine.</summary>
    private bool IsDatabaseLate => Log.Lines.Any(static line =>
        line.StartsWith("PoolApi cannot start: Cannot use the PostgreSQL database", StringComparison.Ordinal)
        && (line.Contains("Is PostgreSQL running there", StringComparison.Ordinal) || line.Contains("has opened no session", StringComparison.Ordinal)));

    private string Tail() => string.Join('\n', Log.Lines.TakeLast(60));

    private async Task BecomeReadyAsync()
    {
        var clock = Stopwatch.StartNew();
        while (!await IsReadyAsync())
        {
            if (_program.HasExited)
                Assert.Fail($"the service ended with {_program.ExitCode} instead of starting:\n{Log}");
            if (clock.Elapsed > StartPatience)
                Assert.Fail($"the service was not ready within {StartPatience.TotalSeconds} s:\n{Log}");
            await Task.Delay(ReadyPause); // another process gives no signal when it is ready
        }
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            return (await Management.GetAsync("/readyz")).Status == 200;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
