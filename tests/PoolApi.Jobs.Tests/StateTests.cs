namespace PoolApi.Jobs.Tests;

/// <summary>The states and their words.</summary>
public sealed class StateTests
{
    [Fact]
    public void Every_state_has_its_word_and_every_word_its_state()
    {
        Assert.Equal(Enum.GetValues<JobState>(), JobStates.All);
        Assert.Equal(["queued", "running", "succeeded", "failed", "cancelled", "expired"], JobStates.All.Select(static s => s.ToWord()));
        Assert.All(JobStates.All, static s => Assert.Equal(s, JobStates.Parse(s.ToWord())));
        Assert.All([null, "", "Queued", "done", "0"], static w => Assert.Null(JobStates.Parse(w)));
        Assert.Equal([false, false, true, true, true, true], JobStates.All.Select(static s => s.IsFinal()));
    }
}
