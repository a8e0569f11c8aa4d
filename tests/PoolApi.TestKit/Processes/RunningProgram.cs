using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PoolApi.TestKit.Processes;

/// <summary>A program that runs as a process of its own, without input, and what it has written so far. It is killed when it is disposed of.</summary>
public sealed class RunningProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly bool _hasChildren;
    private readonly Task _exited;

    /// <summary>Starts the program.</summary>
    /// <param name="start">How to start it. Its streams are redirected.</param>
    /// <param name="hasChildren">Whether it starts processes, which are killed with it.</param>
    public RunningProgram(ProcessStartInfo start, bool hasChildren = false)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        _hasChildren = hasChildren;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Id = _process.Id;
        _exited = WatchAsync();
    }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>The lines of standard output and standard error, in the order of arrival.</summary>
    public LineLog Log { get; } = new();

    /// <summary>Whether the process has ended and the log is complete.</summary>
    public bool HasExited => _exited.IsCompleted;

    /// <summary>The exit code, once the process has ended; 128 and the signal's number if a signal ended it.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Sends a signal to the process alone.</summary>
    public void Send(UnixSignal signal) => Libc.Send(Id, signal);

    /// <summary>Sends SIGKILL to the process alone.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for a line that contains these words.</summary>
    public Task<string> WaitForLineAsync(string words, StringComparison comparison = StringComparison.Ordinal) =>
        WaitForLineAsync(line => line.Contains(words, comparison), words);

    /// <summary>Waits for the first line that matches, among those written already and later ones.</summary>
    /// <param name="matches">Whether a line matches. It sees each line once, in order.</param>
    /// <param name="what">The line in words, for the failure.</param>
    public async Task<string> WaitForLineAsync(Func<string, bool> matches, string what)
    {
        try
        {
            return await Log.WaitForAsync(matches, Patience.Long);
        }
        catch (Exception e) when (e is TimeoutException or InvalidOperationException)
        {
            string limit = e is TimeoutException ? $"within {Patience.Long.TotalSeconds} s" : $"before its end with exit code {ExitCode}";
            Assert.Fail($"the program did not write '{what}' {limit}; it wrote:\n{Log}");
            throw;
        }
    }

    /// <summary>Waits until something listens on a port of 127.0.0.1.</summary>
    public Task WaitForPortAsync(int port) => Patience.UntilAsync(
        async () =>
        {
            Assert.False(HasExited, $"the program ended with {ExitCode}; it wrote:\n{Log}");
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await probe.ConnectAsync(IPAddress.Loopback, port, Patience.Token);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        },
        $"a listener on port {port}");

    /// <summary>Waits for the end of the process and of its log.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> WaitForExitAsync()
    {
        try
        {
            await _exited.Patiently();
        }
        catch (TimeoutException)
        {
            Assert.Fail($"the program did not end within {Patience.Long.TotalSeconds} s; it wrote:\n{Log}");
        }
        return ExitCode;
    }

    /// <summary>Sends a signal if the process still runs, and waits for its end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync(UnixSignal signal)
    {
        try
        {
            if (!_process.HasExited) Send(signal);
        }
        catch (Win32Exception) when (_process.HasExited)
        {
            // It has ended since.
        }
        return await WaitForExitAsync();
    }

    /// <summary>Kills the process if it still runs, and waits for its end. The log and the exit code can still be read.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_exited.IsCompleted) _process.Kill(_hasChildren);
        await _exited.WaitAsync(Patience.Long); // a child that survives keeps the streams open
        _process.Dispose();
    }

    private async Task WatchAsync()
    {
        // Also waits for the end of both streams, so that the log is complete.
        await _process.WaitForExitAsync();
        ExitCode = _process.ExitCode;
        Log.Complete();
    }

    private void Take(string? line)
    {
        if (line is not null) Log.Add(line);
    }
}
