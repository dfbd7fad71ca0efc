"""The measurements that the README quotes, each beside what a user would pick instead, in the same run."""
