using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using PoolApi.HttpBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>A server under load, in a process of its own. It ends at the latest when this program ends.</summary>
internal sealed class ServerProcess : IDisposable
{
    private const int KeptLines = 20;
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60), StartPoll = TimeSpan.FromMilliseconds(50);
    private static readonly HashSet<ServerProcess> Running = [];

    private readonly Process _process;
    private readonly Queue<string> _output = new();

    private ServerProcess(Process process, Routes routes)
    {
        _process = process;
        Routes = routes;
    }

    public Routes Routes { get; }

    /// <summary>Its resident memory, in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            string line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
    }

    /// <summary>Starts it, and returns once it is healthy.</summary>
    /// <exception cref="InvalidOperationException">It ended instead, or took too long.</exception>
    public static ServerProcess Start(ProcessStartInfo start, Routes routes)
    {
        start.RedirectStandardOutput = true; // not into the tables
        start.RedirectStandardError = true;
        ServerProcess server;
        lock (Running) Running.Add(server = new ServerProcess(Process.Start(start)!, routes));
        try
        {
            server.KeepOutput();
            server.AwaitHealth();
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Called when the program ends during a measurement.</summary>
    public static void KillAll()
    {
        lock (Running)
        {
            foreach (ServerProcess server in Running.ToArray()) server.Dispose();
        }
    }

    /// <summary>Kills it, since no client waits for its remaining work.</summary>
    public void Dispose()
    {
        lock (Running)
        {
            if (!Running.Remove(this)) return;
        }
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private void KeepOutput()
    {
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();

        void Keep(object sender, DataReceivedEventArgs e)
        {
            if (e.Data is null) return;
            lock (_output)
            {
                _output.Enqueue(e.Data);
                if (_output.Count > KeptLines) _output.Dequeue();
            }
        }
    }

    private void AwaitHealth()
    {
        var health = new Target(Routes.Health);
        long startedAt = Stopwatch.GetTimestamp();
        while (!IsServed(health))
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(startedAt) > StartTime)
            {
                lock (_output)
                {
                    throw new InvalidOperationException(
                        $"{_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)} did not start.\n"
                        + string.Join('\n', _output));
                }
            }
            Thread.Sleep(StartPoll);
        }
    }

    private static bool IsServed(Target target) => Task.Run(async () =>
    {
        try
        {
            using var connection = new HttpConnection(target.Server);
            await connection.ConnectAsync();
            return await connection.ExchangeAsync(target.Request) == 200;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }).GetAwaiter().GetResult();
}
