using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace PoolApi.TestKit;

/// <summary>
/// A PostgreSQL of its own: a data directory in the temporary folder, a free port, the disk waited for as in earnest. Stopped and
/// deleted at the end; stopped also if this process dies.
/// </summary>
/// <remarks>Where PostgreSQL is not installed, tests that need it are skipped with the words that install it; with CI=true they fail.</remarks>
public sealed class PostgresCluster : IAsyncLifetime
{
    /// <summary>Ends the server when its own input ends: that is when this process closes it, or is gone.</summary>
    // (A background process of a shell would read from nothing, so cat is given the shell's own input.) It ends with the server, whatever ends that.
    private const string Script = """
        log=$1; shift; exec 3<&0
        "$@" >>"$log" 2>&1 3<&- </dev/null & server=$!
        { cat <&3 >/dev/null; kill -INT $server; } & stopper=$!
        wait $server; kill $stopper 2>/dev/null
        """;

    private static readonly string? Programs = Find();

    /// <summary>The data of a new server. Made once for each test process: to copy it takes a tenth of the processor time.</summary>
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

    /// <summary>Ends the test where there is no PostgreSQL: skipped, or failed under CI.</summary>
    public static void Require()
    {
        if (Programs is null) Tool.Missing("PostgreSQL 15 or newer", "apt-get install --no-install-recommends postgresql");
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Programs is null) return; // said by each test
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
    /// <remarks>Where faketime is not installed, the test is skipped with the words that install it; with CI=true it fails.</remarks>
    public static async Task<PostgresCluster> StartWithOwnClockAsync()
    {
        Require();
        string? library = Directory.GetDirectories("/usr/lib", "*-linux-gnu*").Select(static d => Path.Combine(d, "faketime", "libfaketime.so.1")).FirstOrDefault(File.Exists);
        if (library is null) Tool.Missing("faketime", "apt-get install --no-install-recommends faketime");
        string clock = Directory.CreateTempSubdirectory("poolapi-clock-").FullName;
        // PostgreSQL runs as another user.
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

    /// <summary>Sets the server's clock, as of its next look at it.</summary>
    /// <param name="offset">How far it is ahead of the machine's.</param>
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

    /// <summary>Starts the server, after <see cref="KillAsync"/> too.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, WorkingDirectory = _folder };
        // Without fsync no test waits for the disk. A server that is killed loses nothing by that: what it has written is the kernel's.
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
                await Patience.UntilAsync(async () => _server.HasExited || await IsUpAsync(), "PostgreSQL");
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"PostgreSQL has not started: {Log()}", e);
            }
            if (!_server.HasExited) return;
            // A process of the server that was killed may still be about to end, and then the next server does not start.
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

    /// <summary>Kills it, with all its processes, as a fault of the machine would.</summary>
    public async Task KillAsync()
    {
        string[] pid = await File.ReadAllLinesAsync(Path.Combine(Data, "postmaster.pid"));
        int server = int.Parse(pid[0], CultureInfo.InvariantCulture);
        // Stopped, it starts no more processes: one that outlived it would keep the next server from starting.
        await RunAsync("/bin/sh", "-c", $"kill -STOP {server}");
        string children = await File.ReadAllTextAsync($"/proc/{server}/task/{server}/children");
        // First the one that would otherwise bring the others down in an orderly way.
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

    /// <summary>The folder of the newest PostgreSQL: Debian's is not in the PATH.</summary>
    private static string? Find() =>
        (Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [])
            .OrderByDescending(static d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out int version) ? version : 0)
            .Select(static d => Path.Combine(d, "bin"))
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(static d => File.Exists(Path.Combine(d, "initdb")) && File.Exists(Path.Combine(d, "postgres")));
}
