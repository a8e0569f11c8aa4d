using System.Diagnostics;
using System.Globalization;
using PoolApi.JobBenchmarks.Stores;

namespace PoolApi.JobBenchmarks.Postgres;

/// <summary>A cluster with the settings that <c>initdb</c> gives it, in a folder of its own, open to this machine only.</summary>
internal sealed class PostgresCluster(DataFolder folder, int port) : IDisposable
{
    public const string User = "postgres";

    private const string Debian = "/usr/lib/postgresql";

    private readonly string _programs = FindPrograms();
    private bool _started;

    public int Port => port;

    private string Data => folder.File("data");

    /// <exception cref="InvalidOperationException">It does not start.</exception>
    public void Start()
    {
        // PostgreSQL refuses to run as root.
        if (Environment.IsPrivilegedProcess) Run("chown", User, folder.Path);
        RunAsUser("initdb", "-D", Data, "-U", User, "-A", "trust", "-E", "UTF8", "--locale=C");
        _started = true;
        RunAsUser(
            "pg_ctl", "-D", Data, "-l", folder.File("log"), "-w",
            "-o", $"-p {port.ToString(CultureInfo.InvariantCulture)} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", "start");
    }

    public void Dispose()
    {
        if (_started)
        {
            _started = false;
            RunAsUser("pg_ctl", "-D", Data, "-m", "immediate", "-w", "stop");
        }
        folder.Dispose();
    }

    /// <summary>From the PATH, or the newest of Debian's packages.</summary>
    private static string FindPrograms()
    {
        IEnumerable<string> folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (Directory.Exists(Debian))
        {
            folders = folders.Concat(Directory.GetDirectories(Debian)
                .OrderByDescending(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out int version) ? version : 0)
                .Select(d => Path.Combine(d, "bin")));
        }
        return folders.FirstOrDefault(f => File.Exists(Path.Combine(f, "initdb")))
            ?? throw new InvalidOperationException("PostgreSQL's initdb is not installed: install PostgreSQL, or say --connection.");
    }

    private void RunAsUser(string program, params IEnumerable<string> args)
    {
        string path = Path.Combine(_programs, program);
        if (Environment.IsPrivilegedProcess) Run("runuser", ["-u", User, "--", path, .. args]);
        else Run(path, args);
    }

    private static void Run(string program, params IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', start.ArgumentList)}: {output}{errors.GetAwaiter().GetResult()}");
    }
}
