using System.Diagnostics;
using System.Globalization;
using Npgsql;
using PoolApi.TestKit.Network;

namespace PoolApi.TestKit.Processes;

/// <summary>
/// A PostgreSQL server for tests, with a data directory in the temporary folder, on a free port, without fsync. It is stopped and
/// deleted at the end, and stopped also if this process dies.
/// </summary>
/// <remarks>Where PostgreSQL is not installed, tests that need it are skipped with the command that installs it; with CI=true they fail.</remarks>
public sealed class PostgresCluster : IAsyncLifetime
{
    /// <summary>Stops the server when the script's input ends, which is when this process closes it or dies.</summary>
    // A shell gives a background process an empty input, so cat reads the script's input as file 3. The script ends when the server ends for any reason.
    private const string Script = """
        log=$1; shift; exec 3<&0
        "$@" >>"$log" 2>&1 3<&- </dev/null & server=$!
        { cat <&3 >/dev/null; kill -INT $server; } & stopper=$!
        wait $server; kill $stopper 2>/dev/null
        """;

    private static readonly string? Programs = Find();

    /// <summary>The data of a new server. Made once per test process: a copy takes a tenth of the processor time of initdb.</summary>
    private static readonly Lazy<Task<string>> NewData = new(MakeNewDataAsync);

    private string[] _wrapper = [];
    private string _folder = "";
    private string _clock = "";
    private int _port;
    private Process? _server;

    /// <summary>How to connect to it.</summary>
    public string ConnectionString => $"Host=127.0.0.1;Port={_port};Username=poolapi;Database=postgres;SSL Mode=Disable";

    /// <summary>The folder of its programs, <c>pg_dump</c> among them.</summary>
    public static string ProgramFolder => Programs ?? throw new InvalidOperationException("PostgreSQL is not installed.");

    /// <summary>Where it listens.</summary>
    public int Port => _port;

    /// <summary>Skips the test if PostgreSQL is not installed; under CI it fails the test.</summary>
    public static void Require()
    {
        if (Programs is null) Tool.Missing("PostgreSQL 15 or newer", "apt-get install --no-install-recommends postgresql");
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Programs is null) return; // each test reports that by Require
        _folder = Directory.CreateTempSubdirectory("poolapi-pg-").FullName;
        _port = FreePorts.Next();
        if (Environment.IsPrivilegedProcess) await RunAsync("chown", "postgres", _folder);
        await RunAsync("cp", "--archive", await NewData.Value, Data);
        await StartAsync();
    }

    private static async Task<string> MakeNewDataAsync()
    {
        string folder = Directory.CreateTempSubdirectory("poolapi-pg-new-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        };
        if (Environment.IsPrivilegedProcess) await RunAsync("chown", "postgres", folder);
        string data = Path.Combine(folder, "data");
        await RunAsync([.. AsUser(), $"{Programs}/initdb", "--no-sync", "--auth=trust", "--username=poolapi", "--encoding=UTF8", "--locale=C", data]);
        return data;
    }

    /// <summary>Makes and starts a hot standby of this server. The test disposes of it.</summary>
    public async Task<PostgresCluster> StartStandbyAsync()
    {
        var standby = new PostgresCluster { _folder = Directory.CreateTempSubdirectory("poolapi-pg-").FullName, _port = FreePorts.Next() };
        if (Environment.IsPrivilegedProcess) await RunAsync("chown", "postgres", standby._folder);
        await RunAsync(
        [
            .. AsUser(), $"{Programs}/pg_basebackup", "--host=127.0.0.1", $"--port={_port}", "--username=poolapi", "--checkpoint=fast", "--no-sync",
            "--write-recovery-conf", "--pgdata", standby.Data,
        ]);
        await standby.StartAsync();
        return standby;
    }

    /// <summary>Makes and starts a server whose clock the test sets. The test disposes of it.</summary>
    /// <remarks>Where faketime is not installed, the test is skipped with the command that installs it; with CI=true it fails.</remarks>
    public static async Task<PostgresCluster> StartWithOwnClockAsync()
    {
        Require();
        string? library = Directory.GetDirectories("/usr/lib", "*-linux-gnu*").Select(static d => Path.Combine(d, "faketime", "libfaketime.so.1")).FirstOrDefault(File.Exists);
        if (library is null) Tool.Missing("faketime", "apt-get install --no-install-recommends faketime");
        string clock = Directory.CreateTempSubdirectory("poolapi-clock-").FullName;
        // PostgreSQL runs as another user, who must be able to read the offset.
        if (Environment.IsPrivilegedProcess) await RunAsync("chmod", "755", clock);
        var cluster = new PostgresCluster
        {
            _clock = clock,
            _wrapper = ["env", $"LD_PRELOAD={library}", $"FAKETIME_TIMESTAMP_FILE={clock}/offset", "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"],
        };
        await cluster.SetClockAsync(TimeSpan.Zero);
        await cluster.InitializeAsync();
        return cluster;
    }

    /// <summary>Sets the server's clock. The server sees the change when it next reads the clock.</summary>
    /// <param name="offset">How far the server's clock is ahead of the machine's.</param>
    public async Task SetClockAsync(TimeSpan offset)
    {
        string file = Path.Combine(_clock, "offset");
        await File.WriteAllTextAsync(file + ".new", offset.TotalSeconds.ToString("+0;-0;+0", CultureInfo.InvariantCulture), Patience.Token);
        File.Move(file + ".new", file, overwrite: true);
    }

    /// <summary>Runs a statement, on a connection of its own.</summary>
    public async Task<object?> ExecuteAsync(string sql, string database = "postgres")
    {
        await using var connection = new NpgsqlConnection($"{ConnectionString};Database={database};Pooling=false;Timeout=180;Command Timeout=180");
        await connection.OpenAsync(Patience.Token);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Patience.Token);
    }

    /// <summary>Starts the server, also again after <see cref="KillAsync"/>.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, WorkingDirectory = _folder };
        // Without fsync no test waits for the disk. A killed server loses no data by that, since the kernel has what it wrote.
        string[] arguments =
        [
            "-c", Script, "sh", Path.Combine(_folder, "log"), .. AsUser(), .. _wrapper, $"{Programs}/postgres", "-D", Data, "-p", $"{_port}", "-k", _folder,
            "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "fsync=off",
        ];
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        string Log() => File.ReadAllText(Path.Combine(_folder, "log"));
        for (int attempt = 1; ; attempt++)
        {
            _server = Process.Start(start)!;
            try
            {
                await Patience.UntilAsync(async () => _server.HasExited || await IsUpAsync(), "PostgreSQL accepts connections");
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"PostgreSQL has not started: {Log()}", e);
            }
            if (!_server.HasExited) return;
            // A process of the killed server may not have ended yet. Then the next server does not start.
            _server.Dispose();
            _server = null;
            if (attempt == 5) Assert.Fail($"PostgreSQL has not started: {Log()}");
            await Task.Delay(TimeSpan.FromSeconds(1), Patience.Token);
        }

        async Task<bool> IsUpAsync()
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
                await connection.OpenAsync();
                return true;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        }
    }

    /// <summary>Kills the server with all its processes, as a crash of the machine would.</summary>
    public async Task KillAsync()
    {
        string[] pid = await File.ReadAllLinesAsync(Path.Combine(Data, "postmaster.pid"));
        int server = int.Parse(pid[0], CultureInfo.InvariantCulture);
        // A stopped postmaster starts no more processes. A process that outlives it would keep the next server from starting.
        await RunAsync("/bin/sh", "-c", $"kill -STOP {server}");
        string children = await File.ReadAllTextAsync($"/proc/{server}/task/{server}/children");
        // The postmaster is killed first. Otherwise it would shut the others down in an orderly way.
        foreach (string process in children.Split(' ', StringSplitOptions.RemoveEmptyEntries).Prepend($"{server}"))
        {
            try
            {
                using var one = Process.GetProcessById(int.Parse(process, CultureInfo.InvariantCulture));
                one.Kill();
            }
            catch (ArgumentException)
            {
                // It has ended by itself.
            }
        }
        await StopAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await StopAsync();
        if (_folder.Length > 0) Directory.Delete(_folder, recursive: true);
        if (_clock.Length > 0) Directory.Delete(_clock, recursive: true);
    }

    private string Data => Path.Combine(_folder, "data");

    private async Task StopAsync()
    {
        _server!.StandardInput.Close();
        await _server.WaitForExitAsync().Patiently();
        _server.Dispose();
        _server = null;
    }

    /// <summary>PostgreSQL refuses to run as root.</summary>
    public static string[] AsUser() => Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] : [];

    private static async Task RunAsync(params string[] command) =>
        (await ProgramRun.ToEndAsync(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = "/" }, Patience.Long)).MustSucceed();

    /// <summary>The folder of the newest PostgreSQL from Debian's packages, which is not in the PATH; if there is none, the first in the PATH.</summary>
    private static string? Find() =>
        (Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [])
            .OrderByDescending(static d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out int version) ? version : 0)
            .Select(static d => Path.Combine(d, "bin"))
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(static d => File.Exists(Path.Combine(d, "initdb")) && File.Exists(Path.Combine(d, "postgres")));
}
