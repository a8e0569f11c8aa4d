namespace PoolApi.Deploy.Tests;

/// <summary>README.md has one screen of why, one of how, and links. Details stand on other pages.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public void The_README_is_short() => Assert.InRange(File.ReadAllLines(Path.Combine(Repository.Root, "README.md")).Length, 40, 90);
}
