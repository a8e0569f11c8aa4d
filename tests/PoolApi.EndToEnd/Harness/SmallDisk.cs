using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness;

/// <summary>A disk in memory, so small that it can be filled.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private bool _isMounted;

    public string Path => _folder.Path;

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk();
        var run = await ProgramRun.ToEndAsync(
            new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", disk.Path]), TimeSpan.FromSeconds(20));
        disk._isMounted = run.ExitCode == 0;
        if (!disk._isMounted)
        {
            disk.Dispose();
            Tool.Missing("The right to mount a disk", "run as root; mount said: " + run.Text);
        }

        return disk;
    }

    public void Dispose()
    {
        if (_isMounted)
        {
            using var unmount = Process.Start("umount", ["--lazy", Path]);
            unmount.WaitForExit();
        }

        _folder.Dispose();
    }
}
