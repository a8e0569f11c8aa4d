namespace Smoke;

public class SmokeTests
{
    [Fact]
    public void Runs() => Assert.True(true);
}
